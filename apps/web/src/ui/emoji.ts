// Emoji by name: what the picker shows, and what `:` completes. The table is about 100 KB on the wire, and so it is loaded when it is first needed.
import { LIMITS } from "@parley/client/browser";
import type { EmojiData, SkinTone } from "frimousse";

/** Newer ones are boxes on many of today's devices. */
const VERSION_MAX = 15;
const NAMES_OFFERED_MAX = 8;
/** In the order of the table's `tone`, which counts from 1. */
const TONES = ["light", "medium-light", "medium", "medium-dark", "dark"] as const;

export interface NamedEmoji {
  readonly emoji: string;
  /** As people type it between colons: `tada`; the first one is the one that is shown. */
  readonly names: readonly string[];
  /** Other words for it, lower case. */
  readonly words: readonly string[];
}

export interface EmojiTable {
  /** For the picker. */
  readonly data: EmojiData;
  readonly named: readonly NamedEmoji[];
}

let table: Promise<EmojiTable> | undefined;

/** One load for all who ask; after one that failed, the next asks again. */
export function emojiTable(): Promise<EmojiTable> {
  table ??= loadTable().catch((cause: unknown) => {
    table = undefined;
    throw cause;
  });
  return table;
}

async function loadTable(): Promise<EmojiTable> {
  const [{ default: all }, { default: messages }, { default: shortcodes }] = await Promise.all([
    import("emojibase-data/en/data.json"),
    import("emojibase-data/en/messages.json"),
    import("emojibase-data/en/shortcodes/github.json"),
  ]);
  const emojis: EmojiData["emojis"] = [];
  const named: NamedEmoji[] = [];
  for (const { emoji: written, hexcode, label, tags = [], group, version, skins } of all) {
    // Without a group: parts of other emoji, such as the letters of flags.
    if (group === undefined || version > VERSION_MAX) continue;
    const emoji = asTyped(written);
    const tones: Partial<Record<SkinTone, string>> = {};
    for (const skin of skins ?? []) {
      const tone = typeof skin.tone === "number" ? TONES[skin.tone - 1] : undefined;
      const toned = asTyped(skin.emoji);
      if (tone !== undefined && bytesOf(toned) <= LIMITS.emojiBytesMax) tones[tone] = toned;
    }
    const isComplete = TONES.every((tone) => tone in tones);
    emojis.push({
      emoji,
      category: group,
      label,
      tags,
      version,
      skins: isComplete ? (tones as Required<typeof tones>) : undefined,
    });
    const codes = shortcodes[hexcode] ?? label.replaceAll(/[^\p{L}\p{N}]+/gu, "_");
    named.push({ emoji, names: typeof codes === "string" ? [codes] : codes, words: tags });
  }
  const used = new Set(emojis.map(({ category }) => category));
  const categories = messages.groups
    .filter(({ order }) => used.has(order))
    .map(({ order, message }) => ({ index: order, label: message }));
  const toneNames = Object.fromEntries(
    messages.skinTones.map(({ key, message }) => [key, message]),
  ) as EmojiData["skinTones"];
  return { data: { locale: "en", emojis, categories, skinTones: toneNames }, named };
}

/** As keyboards write it: where it is an emoji anyway, the table has a mark for that which would make it another reaction. */
function asTyped(emoji: string): string {
  return emoji.replaceAll(/(\p{Emoji_Presentation})\uFE0F/gu, "$1");
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Names that begin so come first, then those that have it elsewhere, then those that it is another word for. */
export function emojiCandidates(
  named: readonly NamedEmoji[],
  begun: string,
): readonly NamedEmoji[] {
  const starts: NamedEmoji[] = [];
  const inside: NamedEmoji[] = [];
  const words: NamedEmoji[] = [];
  for (const one of named) {
    const name = one.names.find((each) => each.startsWith(begun));
    if (name !== undefined) {
      // What is typed in full stands above what goes on.
      if (name === begun) starts.unshift(one);
      else starts.push(one);
    } else if (one.names.some((each) => each.includes(begun))) inside.push(one);
    else if (one.words.some((word) => word.startsWith(begun))) words.push(one);
  }
  return [...starts, ...inside, ...words].slice(0, NAMES_OFFERED_MAX);
}
