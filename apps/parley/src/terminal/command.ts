// `parley chat`.
import { ExitCode } from "../cli/exit-codes.ts";
import { Chat, type ChatEnd } from "./chat.ts";
import { type ChatScreen, PlainScreen, type ScreenEvents, TerminalScreen } from "./screen.ts";
import { type ChatFlags, signInToChat } from "./sign-in.ts";

const EXIT_CODES: Readonly<Record<ChatEnd, number>> = {
  quit: ExitCode.ok,
  "signed-out": ExitCode.notAllowed,
  unreachable: ExitCode.unavailable,
};

/** Runs until the person leaves; resolves with the exit code. */
export async function runChat(flags: ChatFlags): Promise<number> {
  const signIn = await signInToChat(flags);
  const isPlain = process.stdin.isTTY !== true || process.stdout.isTTY !== true;
  let chat: Chat | undefined;
  const events: ScreenEvents = {
    onLine: (line) => chat?.enter(line),
    onEnd: () => (isPlain ? chat?.finish() : chat?.quit()),
    onTyping: (line) => chat?.typing(line),
    complete: (text) => chat?.complete(text) ?? [],
  };
  const screen: ChatScreen = isPlain
    ? new PlainScreen(process.stdin, process.stdout, events)
    : new TerminalScreen(process.stdin, process.stdout, events);
  chat = new Chat(screen, signIn, { isPlain, tellsTyping: flags.typing });
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.once(signal, () => chat?.quit());
  try {
    return EXIT_CODES[await chat.run()];
  } finally {
    screen.close();
  }
}
