// One message, and what became of it.
import type { Delivery, Message, OutboxItem } from "@parley/client/browser";
import { memo, type ReactNode, useState, useSyncExternalStore } from "react";
import { rich } from "../text/rich.ts";
import { t } from "../text/t.ts";
import { Attachments, WaitingFiles } from "./attachments.tsx";
import { useBlocked, useChat } from "./chat-context.ts";
import { clockTime, fullTime, hueOf, plainName } from "./format.ts";
import { Markdown, wordsOf } from "./markdown.tsx";
import { goTo, goToMessage, pathOf } from "./route.ts";
import { useProblemText } from "./use-problem-text.ts";

interface MessageRowProps {
  readonly message: Message;
  readonly isGrouped: boolean;
  readonly isTarget: boolean;
  /** What it answers, where that is at hand. */
  readonly quoted: Message | undefined;
  /** Whether it is among the chosen ones; undefined = nothing is being chosen, or not this one. */
  readonly isSelected: boolean | undefined;
  /** What this person has not read of the thread under it. */
  readonly unreadReplies: number;
  readonly acts: MessageActs;
}

export interface MessageActs {
  readonly edit: (message: Message) => void;
  readonly remove: (message: Message) => void;
  readonly reply: (message: Message) => void;
  /** Pins it, or takes the pin out; undefined = not for this person. */
  readonly pin: ((message: Message) => void) | undefined;
  /** Gives the emoji, or takes it back. */
  readonly react: (message: Message, emoji: string, add: boolean) => void;
  /** Opens the choice of all emoji. */
  readonly pickReaction: (message: Message) => void;
  /** Opens the thread under it; undefined = it stands in one. */
  readonly openThread: ((message: Message) => void) | undefined;
  /** Opens the search of the room; undefined = not from here. */
  readonly search: (() => void) | undefined;
  /** This one and what follows is to be read again; in this browser only. Undefined = not here. */
  readonly markUnread: ((message: Message) => void) | undefined;
  /** Whether it is this person's to choose, which is to delete. */
  readonly maySelect: (message: Message) => boolean;
  /** Chooses it, or not any more; `isRange`: with all from the one before. */
  readonly select: (message: Message, isRange: boolean) => void;
}

const PALETTE = ["👍", "❤️", "😂", "🎉", "👀", "✅"] as const;

export const MessageRow = memo(function MessageRow(props: MessageRowProps) {
  const { message, isGrouped, isTarget, quoted, isSelected, unreadReplies, acts } = props;
  const { accountId } = useChat();
  const isBlocked = useBlocked().has(message.authorId);
  const [isShown, setIsShown] = useState(false);
  const isOwn = message.authorId === accountId;
  const isForMe = !isOwn && (message.mentionsRoom || message.mentions.includes(accountId));
  const { roomId, seq, threadRootSeq: thread } = message;
  const link = pathOf({ roomId, seq, thread });
  // Who goes through the page with Tab passes by; who has stepped onto the message itself gets to what can be done with it.
  const [hasFocus, setHasFocus] = useState(false);
  const tabIndex = hasFocus ? 0 : -1;
  return (
    <article
      tabIndex={-1}
      onFocus={({ currentTarget, target }) => target === currentTarget && setHasFocus(true)}
      onBlur={({ currentTarget, relatedTarget }) =>
        currentTarget.contains(relatedTarget) || setHasFocus(false)
      }
      className={`message${isGrouped ? " grouped" : ""}${isTarget ? " target" : ""}${isForMe ? " for-me" : ""}`}
      data-seq={message.seq}
    >
      {isSelected !== undefined && (
        <input
          type="checkbox"
          checked={isSelected}
          aria-label={t("message.choose", {
            author: plainName(message.author),
            when: fullTime(message.sentAtMs),
          })}
          onChange={({ nativeEvent }) =>
            acts.select(message, nativeEvent instanceof MouseEvent && nativeEvent.shiftKey)
          }
        />
      )}
      {!isGrouped && <Avatar id={message.authorId} name={message.author} />}
      <div className="content">
        {!isGrouped && (
          <header>
            <bdi className="author">{plainName(message.author)}</bdi>
            <a
              className="time"
              href={link}
              title={fullTime(message.sentAtMs)}
              onClick={(event) => {
                if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                event.preventDefault();
                goToMessage(message);
              }}
            >
              <time dateTime={new Date(message.sentAtMs).toISOString()}>
                {clockTime(message.sentAtMs)}
              </time>
            </a>
          </header>
        )}
        {message.replyToSeq > 0 && <Quote message={message} quoted={quoted} />}
        <div className="body" dir="auto">
          {message.deleted ? (
            <p className="deleted">{t("message.deleted")}</p>
          ) : isBlocked && !isShown ? (
            <p className="deleted">
              {t("message.blocked")}{" "}
              <button type="button" className="quiet" onClick={() => setIsShown(true)}>
                {t("app.show")}
              </button>
            </p>
          ) : (
            <>
              {message.body !== "" && <Markdown text={message.body} />}
              <Attachments files={message.attachments} />
            </>
          )}
          {message.pinned && !message.deleted && (
            <small className="pinned">{t("message.pinned")}</small>
          )}
          {message.version > 0 && !message.deleted && (
            <small className="edited" title={fullTime(message.editedAtMs)}>
              {t("message.edited")}
            </small>
          )}
        </div>
        {isOwn && <Withdrawn message={message} />}
        {message.reactions.length > 0 && (
          <ul className="reactions" aria-label={t("message.reactions")}>
            {message.reactions.map(({ emoji, count }) => {
              const isMine = isGiven(message, emoji, accountId);
              return (
                <li key={emoji}>
                  <button
                    type="button"
                    aria-pressed={isMine}
                    aria-label={`${emoji}, ${count}`}
                    onClick={() => acts.react(message, emoji, !isMine)}
                  >
                    {emoji} {count}
                  </button>
                </li>
              );
            })}
          </ul>
        )}
        {acts.openThread !== undefined && (
          <ThreadLink message={message} unread={unreadReplies} onOpen={acts.openThread} />
        )}
      </div>
      {isOwn && <Tick clientMessageId={message.clientMessageId} revision={message.revision} />}
      {!message.deleted && isSelected === undefined && (
        <div className="actions">
          {PALETTE.map((emoji) => (
            <button
              key={emoji}
              type="button"
              tabIndex={tabIndex}
              aria-label={t("message.reactWith", { emoji })}
              onClick={() => acts.react(message, emoji, !isGiven(message, emoji, accountId))}
            >
              {emoji}
            </button>
          ))}
          <button
            type="button"
            tabIndex={tabIndex}
            aria-label={t("message.reactOther")}
            onClick={() => acts.pickReaction(message)}
          >
            …
          </button>
          <button type="button" tabIndex={tabIndex} onClick={() => acts.reply(message)}>
            {t("message.reply")}
          </button>
          {acts.openThread !== undefined && (
            <button type="button" tabIndex={tabIndex} onClick={() => acts.openThread?.(message)}>
              {t("message.thread")}
            </button>
          )}
          {acts.pin !== undefined && (
            <button type="button" tabIndex={tabIndex} onClick={() => acts.pin?.(message)}>
              {t(message.pinned ? "message.unpin" : "message.pin")}
            </button>
          )}
          {isOwn && (
            <>
              <button type="button" tabIndex={tabIndex} onClick={() => acts.edit(message)}>
                {t("message.edit")}
              </button>
              <button type="button" tabIndex={tabIndex} onClick={() => acts.remove(message)}>
                {t("app.delete")}
              </button>
            </>
          )}
          {acts.markUnread !== undefined && (
            <button
              type="button"
              tabIndex={tabIndex}
              title={t("message.inThisBrowser")}
              onClick={() => acts.markUnread?.(message)}
            >
              {t("message.markUnread")}
            </button>
          )}
          {acts.maySelect(message) && (
            <button type="button" tabIndex={tabIndex} onClick={() => acts.select(message, false)}>
              {t("message.select")}
            </button>
          )}
        </div>
      )}
    </article>
  );
});

/** What becomes of a message that was taken back too late not to be sent. */
function Withdrawn({ message }: { readonly message: Message }) {
  const { outbox } = useChat();
  const item = useSyncExternalStore(outbox.subscribe, () =>
    outbox.withdrawnAs(message.clientMessageId),
  );
  if (item === undefined || message.deleted) return null;
  return item.failure === undefined ? (
    <small className="edited">{t("message.willBeDeleted")}</small>
  ) : (
    <NotDeleted item={item} />
  );
}

function NotDeleted({ item }: { readonly item: OutboxItem }) {
  const { client } = useChat();
  const why = useProblemText(item.failure);
  return (
    <p className="problem" role="alert">
      {t("message.notDeleted", { why })}{" "}
      <button
        type="button"
        className="quiet"
        onClick={() => void client.retryFailed(item.clientMessageId)}
      >
        {t("app.tryAgain")}
      </button>{" "}
      <button
        type="button"
        className="quiet"
        onClick={() => client.dismissFailed(item.clientMessageId)}
      >
        {t("app.ok")}
      </button>
    </p>
  );
}

/** How many replied, when last, and what of it is new. */
function ThreadLink({
  message,
  unread,
  onOpen,
}: {
  readonly message: Message;
  readonly unread: number;
  readonly onOpen: (message: Message) => void;
}) {
  const { thread, roomId, seq } = message;
  if (thread === undefined || thread.replyCount === 0) return null;
  const { replyCount, lastReplyAtMs } = thread;
  return (
    <a
      className={unread > 0 ? "thread unread" : "thread"}
      href={pathOf({ roomId, seq: 0, thread: seq })}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        onOpen(message);
      }}
    >
      {rich("message.replies", {
        count: replyCount,
        when: (
          <time dateTime={new Date(lastReplyAtMs).toISOString()} title={fullTime(lastReplyAtMs)}>
            {clockTime(lastReplyAtMs)}
          </time>
        ),
      })}
      {unread > 0 && <span className="badge">{t("message.newReplies", { count: unread })}</span>}
    </a>
  );
}

function isGiven(message: Message, emoji: string, accountId: number): boolean {
  const reaction = message.reactions.find((one) => one.emoji === emoji);
  return reaction?.accountIds.includes(accountId) ?? false;
}

function Quote({
  message,
  quoted,
}: {
  readonly message: Message;
  readonly quoted: Message | undefined;
}) {
  const { roomId, replyToSeq: seq } = message;
  // What stands in the same thread; in the room otherwise, which corrects the address where it is wrong.
  const thread = quoted?.threadRootSeq ?? 0;
  return (
    <a
      className="quote"
      href={pathOf({ roomId, seq, thread })}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        goTo(roomId, seq, thread);
      }}
    >
      {quoted === undefined ? (
        t("message.answers", { seq: `${seq}` })
      ) : (
        <>
          <bdi className="author">{plainName(quoted.author)}</bdi>{" "}
          <bdi>{quoted.deleted ? t("message.quoteDeleted") : wordsOf(quoted)}</bdi>
        </>
      )}
    </a>
  );
}

export const UnsentRow = memo(function UnsentRow({ item }: { readonly item: OutboxItem }) {
  const { client, signIn } = useChat();
  const { failure, clientMessageId, withdrawal } = item;
  const why = useProblemText(failure);
  return (
    <article className={`message unsent${failure === undefined ? "" : " failed"}`}>
      <Avatar id={signIn.accountId} name={signIn.username} />
      <div className="content">
        <header>
          <bdi className="author">{plainName(signIn.username)}</bdi>
          <span className="time">
            {t(
              withdrawal !== undefined
                ? "message.willBeDeleted"
                : failure === undefined
                  ? "message.waiting"
                  : "message.notSent",
            )}
          </span>
        </header>
        <div className="body" dir="auto">
          {item.body !== "" && <Markdown text={item.body} />}
          <WaitingFiles files={item.files ?? []} />
        </div>
        {why !== "" && (
          <p className="problem" role="alert">
            {t("message.failed", { why })}
          </p>
        )}
      </div>
      <Tick clientMessageId={clientMessageId} />
      <div className="actions">
        {failure === undefined ? (
          withdrawal === undefined && (
            <button type="button" onClick={() => client.cancelSend(clientMessageId)}>
              {t("message.cancel")}
            </button>
          )
        ) : (
          <>
            <button type="button" onClick={() => void client.retryFailed(clientMessageId)}>
              {t("app.tryAgain")}
            </button>
            <button type="button" onClick={() => void navigator.clipboard?.writeText(item.body)}>
              {t("app.copy")}
            </button>
            <button type="button" onClick={() => client.dismissFailed(clientMessageId)}>
              {t("app.delete")}
            </button>
          </>
        )}
      </div>
    </article>
  );
});

function Avatar({ id, name }: { readonly id: number; readonly name: string }) {
  return (
    <span className="avatar" data-hue={Math.floor(hueOf(id) / 30)} aria-hidden="true">
      {[...plainName(name)][0]?.toUpperCase()}
    </span>
  );
}

/** Waiting, committed, on how many of the nodes' disks (P1). `revision`: of a message that is committed; left out: it is not. */
function Tick({
  clientMessageId,
  revision,
}: {
  readonly clientMessageId: string;
  readonly revision?: number;
}) {
  const { deliveries } = useChat();
  const delivery = useSyncExternalStore(deliveries.subscribe, () =>
    deliveries.of(clientMessageId, revision),
  );
  const why = useProblemText(delivery?.kind === "failed" ? delivery : undefined);
  const [mark, text] = tickOf(delivery, revision !== undefined, why);
  if (mark === undefined) return null;
  return (
    <span className="tick" data-kind={delivery?.kind} title={text}>
      <span aria-hidden="true">{mark}</span>
      <span className="sr-only">{text}</span>
    </span>
  );
}

/** `why` it failed, if it did. */
function tickOf(
  delivery: Delivery | undefined,
  isCommitted: boolean,
  why: string,
): [ReactNode, string] {
  if (delivery === undefined) {
    return isCommitted ? ["✓", t("message.committed")] : ["◷", t("message.waiting")];
  }
  switch (delivery.kind) {
    case "waiting":
      return ["◷", t("message.waitingLong")];
    case "failed":
      return ["!", t("message.failedLong", { why })];
    case "committed": {
      const { replicas, nodes } = delivery;
      const everywhere = replicas >= nodes;
      return [
        everywhere ? "✓✓" : `✓ ${replicas}/${nodes}`,
        t("message.committedOn", { replicas, nodes }),
      ];
    }
  }
}
