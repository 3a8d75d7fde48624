// Whom a text mentions: `@name` an account, `@room` everybody in the room. Looked up once, where the message is proposed, because how
// names are compared depends on Unicode's tables; who of them is in the room is decided by apply.
import { LIMITS } from "@parley/protocol";
import type { Admission } from "./admission.ts";
import { MENTIONS_SINCE } from "./state-version.ts";
import { normaliseUsername } from "./text.ts";

export interface Mentions {
  /** At most 50, each once, in the order of the text. */
  readonly mentionIds: number[];
  readonly mentionsRoom: boolean;
}

const NONE: Mentions = { mentionIds: [], mentionsRoom: false };
/** Not in the middle of a word, as in addresses of mail. */
const MENTION = /(?<![\p{L}\p{M}\p{N}._-])@([\p{L}\p{M}\p{N}._-]+)/gu;
const ROOM_WORD = "room";
/** Names that are looked up in one text. */
const LOOKED_UP_MAX = 200;

/** The name, then the name without the dots and hyphens that may end the sentence instead. */
function* readings(word: string): Generator<string> {
  let name = word;
  for (;;) {
    yield name;
    if (!/[._-]$/.test(name)) return;
    name = name.slice(0, -1);
  }
}

/** Nobody while the state can't store mentions: then the text alone is sent. */
export function mentionsIn(body: string, admission: Admission): Mentions {
  if (admission.stateVersion < MENTIONS_SINCE || !body.includes("@")) return NONE;
  const mentionIds = new Set<number>();
  let mentionsRoom = false;
  let lookedUp = 0;
  for (const [, word = ""] of body.matchAll(MENTION)) {
    for (const reading of readings(word.slice(0, LIMITS.usernameBytesMax + 1))) {
      const key = normaliseUsername(reading);
      const id = key === ROOM_WORD ? 0 : admission.accountByKey(key)?.accountId;
      lookedUp += 1;
      if (id === 0) mentionsRoom = true;
      else if (id !== undefined && mentionIds.size < LIMITS.mentionsMax) mentionIds.add(id);
      if (id !== undefined || lookedUp >= LOOKED_UP_MAX) break;
    }
    if (lookedUp >= LOOKED_UP_MAX) break;
  }
  return { mentionIds: [...mentionIds], mentionsRoom };
}
