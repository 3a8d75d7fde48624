// Accounts, sign-ins and passwords.
import { newSecret, passwordPath, passwordSecretIn } from "@parley/client";
import { type Account, LIMITS, type LoginSession, RegistrationMode } from "@parley/protocol";
import { Argument, type Command } from "commander";
import pc from "picocolors";
import { wholeNumber } from "./arguments.ts";
import { addAccountOptions, output } from "./common-options.ts";
import {
  type CommonFlags,
  deviceName,
  newPassword,
  passwordFor,
  savedSignIns,
  saveSignIn,
  usernameFor,
  withAccount,
  withGuest,
} from "./connection.ts";
import { accountText, lastSeen, printable, shortTime, staleRemark, unreadText } from "./format.ts";
import { inviteSecretOf, linkLine } from "./invite-commands.ts";
import { chatJson } from "./json.ts";
import { ask, isInteractive } from "./prompt.ts";
import { roomTitle } from "./rooms.ts";
import { resolveServers } from "./servers.ts";
import { formatTable } from "./table.ts";
import { UsageError } from "./usage-error.ts";

const HOUR_MS = 60 * 60 * 1000;
const PASSWORD_LINK_HOURS_MAX = LIMITS.passwordLinkTtlMsMax / HOUR_MS;

interface RegisterFlags extends CommonFlags {
  readonly displayName?: string;
  readonly setupToken?: string;
  readonly invite?: string;
}

function addRegister(program: Command): void {
  addAccountOptions(program.command("register"))
    .description("make an account, and sign in")
    .option("--display-name <name>", "the name that others see (default: the username)")
    .option(
      "--setup-token <token>",
      "for the first account beyond loopback: what the node printed (better: in PARLEY_SETUP_TOKEN)",
    )
    .option("--invite <link>", "where an account takes one")
    .action(async (flags: RegisterFlags) => {
      await withGuest(flags, async ({ client, deadlineMs }, servers) => {
        const username = await usernameFor(flags);
        const given = flags.password ?? process.env.PARLEY_PASSWORD;
        const password = await newPassword(given);
        const displayName = flags.displayName ?? username;
        const setupToken = flags.setupToken ?? process.env.PARLEY_SETUP_TOKEN ?? "";
        const inviteSecret = flags.invite === undefined ? "" : inviteSecretOf(flags.invite);
        const fields = { username, password, displayName, setupToken, inviteSecret };
        const reply = await client.register(fields, { deadlineMs });
        saveSignIn(client, servers, reply.revision);
        output(
          flags.json,
          () => chatJson(reply),
          () => [
            `Welcome, ${username}. You are signed in.`,
            ...(reply.account?.owner === true
              ? ["You are the first here, so you own this instance."]
              : []),
            ...(reply.room === undefined ? [] : [`You are in ${roomTitle(reply.room)}.`]),
          ],
        );
      });
    });
}

const MODES = {
  open: RegistrationMode.REGISTRATION_MODE_OPEN,
  "invite-only": RegistrationMode.REGISTRATION_MODE_INVITE_ONLY,
  closed: RegistrationMode.REGISTRATION_MODE_CLOSED,
} as const;
export type ModeName = keyof typeof MODES;
export const MODE_NAMES = Object.keys(MODES) as ModeName[];

export function modeOf(name: ModeName): RegistrationMode {
  return MODES[name];
}

/** What a mode means to those who have no account yet. */
export function registrationText(mode: RegistrationMode): string {
  switch (mode) {
    case RegistrationMode.REGISTRATION_MODE_CLOSED:
      return "Registration is closed: nobody can make an account here at present.";
    case RegistrationMode.REGISTRATION_MODE_INVITE_ONLY:
      return "Registration is invite-only: an account here takes an invite.";
    default:
      return "Registration is open: everybody who reaches a node can make an account.";
  }
}

function addRegistration(program: Command): void {
  addAccountOptions(program.command("registration"))
    .description("say who may make an account, or, as the instance's owner, change it")
    .addArgument(new Argument("[mode]", "what it is to be").choices(MODE_NAMES))
    .action(async (mode: ModeName | undefined, flags: CommonFlags) => {
      const show = (reply: { readonly mode: RegistrationMode }) =>
        output(
          flags.json,
          () => chatJson(reply),
          () => [registrationText(reply.mode)],
        );
      if (mode === undefined) {
        await withGuest(flags, async ({ client, deadlineMs }) => {
          show(await client.call("getRegistration", {}, { deadlineMs }));
        });
        return;
      }
      await withAccount(flags, async ({ client, deadlineMs }) => {
        show(await client.call("setRegistration", { mode: modeOf(mode) }, { deadlineMs }));
      });
    });
}

function addLogin(program: Command): void {
  addAccountOptions(program.command("login"))
    .description("sign in; later commands use it")
    .action(async (flags: CommonFlags) => {
      await withGuest(flags, async ({ client, deadlineMs }, servers) => {
        const username = await usernameFor(flags);
        const password = await passwordFor(flags);
        const reply = await client.login(
          { username, password, device: deviceName() },
          { deadlineMs },
        );
        saveSignIn(client, servers, reply.revision);
        output(
          flags.json,
          () => chatJson(reply),
          () => [`Signed in as ${username}: ${unreadText(reply)}.`],
        );
      });
    });

  addAccountOptions(program.command("logout"))
    .description("end the sign-in that `parley login` left")
    .action(async (flags: CommonFlags) => {
      const saved = savedSignIns().find(resolveServers(flags.server));
      await withAccount(flags, async ({ client, deadlineMs }) => {
        await client.logout({ deadlineMs });
        if (saved !== undefined) savedSignIns().remove(saved);
        output(
          flags.json,
          () => "{}",
          () => ["Signed out."],
        );
      });
    });
}

function addAccounts(program: Command): void {
  addAccountOptions(program.command("accounts"))
    .description("list accounts")
    .argument("[pattern]", "of usernames; * stands for any letters, ? for one", "")
    .option("--limit <n>", "how many", wholeNumber(1, 10_000), 200)
    .action(async (pattern: string, flags: CommonFlags & { readonly limit: number }) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const accounts: Account[] = [];
        let staleMs = 0;
        let pageToken = "";
        do {
          const pageSize = Math.min(200, flags.limit - accounts.length);
          const request = { pattern, pageSize, pageToken };
          const reply = await client.call("listAccounts", request, { deadlineMs });
          accounts.push(...reply.accounts);
          staleMs = reply.staleMs;
          pageToken = reply.nextPageToken;
        } while (pageToken !== "" && accounts.length < flags.limit);
        output(
          flags.json,
          () => chatJson({ accounts, nextPageToken: pageToken, staleMs }),
          () => [
            ...[staleRemark(staleMs)].filter((line) => line !== undefined),
            ...formatTable(
              [
                { title: "account", align: "left" },
                { title: "", align: "left" },
                { title: "", align: "left" },
              ],
              accounts.map((one) => [
                accountText(one),
                lastSeen(one),
                one.owner ? pc.dim("owner") : "",
              ]),
            ).slice(1),
            ...(pageToken === "" ? [] : [pc.dim("There are more; raise --limit.")]),
          ],
        );
      });
    });
}

function addSessions(program: Command): void {
  const sessions = program.command("sessions").description("your sign-ins: list them, end one");
  addAccountOptions(sessions.command("list", { isDefault: true }))
    .description("list them")
    .action(async (flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const reply = await client.call("listSessions", {}, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => sessionTable(reply.sessions),
        );
      });
    });
  addAccountOptions(sessions.command("revoke"))
    .description("end one")
    .argument("<id>", "its number in the list", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .action(async (sessionId: number, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const reply = await client.call("revokeSession", { sessionId }, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`Session ${sessionId} has ended.`],
        );
      });
    });
}

export function sessionTable(sessions: readonly LoginSession[]): readonly string[] {
  return formatTable(
    [
      { title: "id", align: "right" },
      { title: "device", align: "left" },
      { title: "since", align: "left" },
      { title: "until", align: "left" },
      { title: "", align: "left" },
    ],
    sessions.map((one) => [
      String(one.id),
      one.device === "" ? "-" : one.device,
      shortTime(one.createdAtMs),
      shortTime(one.expiresAtMs),
      one.current ? pc.green("this one") : "",
    ]),
  );
}

function addDisplayName(program: Command): void {
  addAccountOptions(program.command("display-name"))
    .description("say, or change, the name that others see of you")
    .argument("[name]", "what it is to be", "")
    .action(async (name: string, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const reply =
          name === ""
            ? await client.call("getAccount", {}, { deadlineMs })
            : await client.call("updateProfile", { displayName: name }, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`Others see you as ${printable(reply.account?.displayName ?? "")}.`],
        );
      });
    });
}

function addPasswords(program: Command): void {
  addAccountOptions(program.command("passwd"))
    .description("change your password; your other sign-ins end")
    .option("--new-password <password>")
    .action(async (flags: CommonFlags & { readonly newPassword?: string }) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const password = await passwordFor(flags, "Present password: ");
        const request = { password, newPassword: await newPassword(flags.newPassword) };
        const reply = await client.call("changePassword", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => ["The password is changed; your other sign-ins have ended."],
        );
      });
    });

  addAccountOptions(program.command("reset-password"))
    .description("for the instance's owner: give somebody a new password")
    .argument("<account>", "whose")
    .option("--new-password <password>")
    .action(async (account: string, flags: CommonFlags & { readonly newPassword?: string }) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const request = { username: account, newPassword: await newPassword(flags.newPassword) };
        const reply = await client.call("resetPassword", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`${account} has a new password; their sign-ins have ended.`],
        );
      });
    });

  addAccountOptions(program.command("password-link"))
    .description("for the instance's owner: a link by which somebody sets their password, once")
    .argument("<account>", "whose")
    .option("--hours <n>", "how long it counts", wholeNumber(1, PASSWORD_LINK_HOURS_MAX), 24)
    .action(async (account: string, flags: CommonFlags & { readonly hours: number }) => {
      await withAccount(flags, async ({ client, deadlineMs, isSecure }) => {
        const secret = newSecret();
        const request = { username: account, secret, ttlMs: flags.hours * HOUR_MS };
        const reply = await client.call("createPasswordLink", request, { deadlineMs });
        const path = passwordPath(secret);
        output(
          flags.json,
          () => chatJson({ ...reply, path }),
          () => [
            `Whoever opens this link sets ${account}'s password; it works once, and is not shown again:`,
            linkLine(client, path, isSecure),
          ],
        );
      });
    });

  addAccountOptions(program.command("use-password-link"))
    .description("set a password by the link that the instance's owner made")
    .argument("<link>")
    .option("--new-password <password>")
    .action(async (link: string, flags: CommonFlags & { readonly newPassword?: string }) => {
      const secret = passwordSecretIn(link);
      if (secret === undefined) {
        throw new UsageError("That is no password link. One ends in /password# and a long word.");
      }
      await withGuest(flags, async ({ client, deadlineMs }) => {
        const request = { secret, newPassword: await newPassword(flags.newPassword) };
        const reply = await client.call("usePasswordLink", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`The password of ${reply.username} is set; all its sign-ins have ended.`],
        );
      });
    });

  addAccountOptions(program.command("delete-account"))
    .description("delete your account")
    .option("--yes", "do not ask", false)
    .action(async (flags: CommonFlags & { readonly yes: boolean }) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const username = client.account?.username ?? "your account";
        if (!flags.yes) await confirmDeletion(username);
        const password = await passwordFor(flags);
        const reply = await client.call("deleteAccount", { password }, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`The account ${username} is gone.`],
        );
      });
    });
}

async function confirmDeletion(username: string): Promise<void> {
  if (!isInteractive()) throw new UsageError("Say --yes to delete the account.");
  process.stderr.write(
    [
      `This deletes the account ${username} for ever:`,
      '  - what you wrote stays readable for others, under the name "deleted account";',
      "  - you leave every room and all your sign-ins end;",
      "  - the username becomes free for others.",
      "",
    ].join("\n"),
  );
  const typed = await ask(`Type ${username} to go on: `);
  if (typed !== username) throw new UsageError("Nothing was deleted.");
}

function addBlocks(program: Command): void {
  for (const blocked of [true, false]) {
    addAccountOptions(program.command(blocked ? "block" : "unblock"))
      .description(
        blocked
          ? "take no direct messages and mentions from somebody; nobody is told"
          : "take a block back",
      )
      .argument("<account>")
      .action(async (username: string, flags: CommonFlags) => {
        await withAccount(flags, async ({ client, deadlineMs }) => {
          const reply = await client.call("block", { username, blocked }, { deadlineMs });
          output(
            flags.json,
            () => chatJson(reply),
            () => [`${username} is ${blocked ? "" : "no longer "}blocked.`],
          );
        });
      });
  }

  addAccountOptions(program.command("blocked"))
    .description("list whom you have blocked")
    .action(async (flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const reply = await client.call("listBlocked", {}, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => (reply.accounts.length === 0 ? ["Nobody."] : reply.accounts.map(accountText)),
        );
      });
    });
}

export function addAccountCommands(program: Command): void {
  addRegister(program);
  addRegistration(program);
  addLogin(program);
  addAccounts(program);
  addSessions(program);
  addDisplayName(program);
  addPasswords(program);
  addBlocks(program);
}
