// How a file is called where others see it.
import { LIMITS } from "@parley/protocol";

/** What of a file's name on a device is the name that others see: no path, nothing invisible, at most 255 bytes. */
export function fileNameOf(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? "";
  const shown = last.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "").trim();
  const encoder = new TextEncoder();
  const characters = [...shown];
  // The end says what kind of file it is: what is too long loses its middle.
  while (encoder.encode(characters.join("")).length > LIMITS.fileNameBytesMax) {
    characters.splice(Math.floor(characters.length / 2), 1);
  }
  return characters.join("") || "file";
}
