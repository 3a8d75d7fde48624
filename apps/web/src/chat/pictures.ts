// Which files are shown as pictures: what their bytes say, and not their names; and none that would fill the memory when it is unpacked.
import { imageSize } from "image-size";

/** SVG is none: it is a program. */
const SHOWN: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
};
/** 4 bytes each once it is unpacked. */
const PIXELS_MAX = 40_000_000;

export interface Picture {
  readonly mediaType: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}

/** Undefined for what is no picture, or one that is too large. Never throws. */
export function pictureOf(bytes: Uint8Array): Picture | undefined {
  try {
    const { type = "", width, height } = imageSize(bytes);
    const mediaType = SHOWN[type];
    const isShown = mediaType !== undefined && width > 0 && height > 0;
    return isShown && width * height <= PIXELS_MAX ? { mediaType, width, height } : undefined;
  } catch {
    return undefined;
  }
}
