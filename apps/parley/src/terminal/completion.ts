// What the Tab key makes of what is typed. Pure.
import { CHAT_COMMANDS } from "./input.ts";

export interface CompletionSources {
  /** Titles of the rooms that one is in. */
  readonly rooms: readonly string[];
  /** Names of people that were seen. */
  readonly people: readonly string[];
}

function startsWith(text: string, beginning: string): boolean {
  return text.toLowerCase().startsWith(beginning.toLowerCase());
}

/** Whole lines that `text` could become. */
export function completions(text: string, sources: CompletionSources): readonly string[] {
  if (!text.startsWith("/") || text.startsWith("//")) return [];
  const [command = "", ...rest] = text.split(" ");
  if (rest.length === 0) {
    return CHAT_COMMANDS.map(({ name }) => `/${name}`).filter((one) => startsWith(one, text));
  }
  const typed = rest.join(" ");
  const names = ((): readonly string[] => {
    switch (command.toLowerCase()) {
      case "/join":
        return sources.rooms;
      case "/dm":
      case "/invite":
      case "/kick":
      case "/block":
      case "/mute-member":
      case "/role":
        return sources.people;
      default:
        return [];
    }
  })();
  return names
    .filter((one) => startsWith(one, typed))
    .sort()
    .map((one) => `${command} ${one}`);
}

/** The longest beginning that all have; "" for none. */
export function commonBeginning(texts: readonly string[]): string {
  const [first = "", ...others] = texts;
  let length = first.length;
  for (const other of others) {
    let same = 0;
    while (same < length && other[same] === first[same]) same += 1;
    length = same;
  }
  return first.slice(0, length);
}
