// Which files are shown as pictures: what their bytes say, and not their names; and none that would fill the memory when it is unpacked.
import { LIMITS } from "@parley/client/browser";
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
/** Of a preview, which is shown without being asked for: as many as this page makes at the most. */
const PREVIEW_PIXELS_MAX = 640 * 640;

export interface Picture {
  readonly mediaType: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}

/** Undefined for what is no picture, or one that is too large. Never throws. */
export function pictureOf(
  bytes: Uint8Array,
  what: "whole" | "preview" = "whole",
): Picture | undefined {
  const most = what === "whole" ? PIXELS_MAX : PREVIEW_PIXELS_MAX;
  try {
    const { type = "", width, height } = imageSize(bytes);
    const mediaType = SHOWN[type];
    const isShown = mediaType !== undefined && width > 0 && height > 0;
    return isShown && width * height <= most ? { mediaType, width, height } : undefined;
  } catch {
    return undefined;
  }
}

/** What is as small as this is fetched as it is. */
const PREVIEWED_BYTES_MIN = 32 * 1024;
/** The longest side in pixels, and how good: the first that is small enough is taken. */
const PREVIEWS = [
  [640, 0.75],
  [640, 0.5],
  [480, 0.5],
  [320, 0.5],
  [160, 0.5],
] as const;

/** A small picture of what the bytes show, for others to look at before they ask for all of it. Undefined where none is needed or none can be made. */
export async function previewOf(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array | undefined> {
  const picture = bytes.length < PREVIEWED_BYTES_MIN ? undefined : pictureOf(bytes);
  if (picture === undefined) return undefined;
  try {
    const all = await createImageBitmap(new Blob([bytes], { type: picture.mediaType }));
    try {
      for (const [side, quality] of PREVIEWS) {
        const blob = await drawn(all, side, quality);
        if (blob.size <= LIMITS.filePreviewBytesMax)
          return new Uint8Array(await blob.arrayBuffer());
      }
    } finally {
      all.close();
    }
  } catch {
    // The browser can't decode it: others may.
  }
  return undefined;
}

async function drawn(all: ImageBitmap, side: number, quality: number): Promise<Blob> {
  const scale = Math.min(1, side / Math.max(all.width, all.height));
  const [width, height] = [all.width, all.height].map((one) =>
    Math.max(1, Math.round(one * scale)),
  );
  const canvas = new OffscreenCanvas(width ?? 1, height ?? 1);
  canvas.getContext("2d")?.drawImage(all, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality });
  // Some browsers write no WebP, and say so by another type.
  return blob.type === "image/webp" ? blob : canvas.convertToBlob({ type: "image/jpeg", quality });
}
