// What was said, newest at the end. Only what can be seen is mounted; pages of older messages come in above without a jump.
import { followedThread, type Message, type Room } from "@parley/client/browser";
import { useVirtualizer, type VirtualItem, type Virtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { TimelineView } from "../chat/timeline.ts";
import { t } from "../text/t.ts";
import { Boundary } from "./boundary.tsx";
import { useChat, useHealth, useOutbox, useReaders, useServerNowMs } from "./chat-context.ts";
import { dayName, isDirect, plainName, roomName } from "./format.ts";
import { isTyping, stepsToMessage } from "./message-keys.ts";
import { type MessageActs, MessageRow, UnsentRow } from "./message-row.tsx";
import { goTo } from "./route.ts";
import { type Row, rowsOf } from "./rows.ts";
import { seenBy, seenText } from "./seen.ts";

/** Where more of them come from: a room's timeline, or a thread. */
export interface MessageSource {
  /** The surroundings of a message, or with 0 the newest. */
  show(seq: number): Promise<void>;
  retry(): void;
  loadOlder(): Promise<void>;
  loadNewer(): Promise<void>;
}

interface MessageListProps {
  readonly room: Room;
  /** The thread that is shown; left out = what stands in the room itself. */
  readonly threadRootSeq?: number;
  readonly source: MessageSource;
  readonly view: TimelineView;
  readonly unreadAfter: number;
  readonly markedSeq: number;
  readonly target: number;
  /** How often something was written here: whoever writes is taken to what they wrote. */
  readonly sends: number;
  /** Whether it can be chosen and is; undefined = it can't be, or nothing is being chosen. */
  readonly isSelected: (message: Message) => boolean | undefined;
  readonly acts: MessageActs;
}

type List = Virtualizer<HTMLDivElement, Element>;

const NOBODY_HAS_SEEN: ReturnType<typeof seenBy> = new Map();
const ROW_PX_ESTIMATE = 44;
/** Nearer to an edge than this, the next page is loaded. */
const ROWS_AHEAD = 8;

export function MessageList(props: MessageListProps) {
  const { room, threadRootSeq = 0, source, view, unreadAfter, markedSeq, target } = props;
  const { isSelected, acts, sends } = props;
  const chat = useChat();
  const outbox = useOutbox();
  const scroller = useRef<HTMLDivElement>(null);
  const ownId = chat.accountId;
  const unsent = useMemo(
    () =>
      view.atEnd
        ? outbox.filter(
            ({ roomId, threadRootSeq: thread = 0 }) =>
              roomId === room.id && thread === threadRootSeq,
          )
        : [],
    [outbox, room.id, threadRootSeq, view.atEnd],
  );
  // Replies have numbers of the room, so its timeline has them; they are shown in their threads.
  const messages = useMemo(
    () =>
      threadRootSeq === 0
        ? view.messages.filter((message) => message.threadRootSeq === 0)
        : view.messages,
    [view.messages, threadRootSeq],
  );
  const rows = useMemo(
    () => rowsOf({ messages, unsent, ownId, unreadAfter, markedSeq }),
    [messages, unsent, ownId, unreadAfter, markedSeq],
  );
  const readers = useReaders(room);
  const seen = useMemo(
    () => (threadRootSeq === 0 ? seenBy(messages, readers, view.atEnd) : NOBODY_HAS_SEEN),
    [messages, readers, threadRootSeq, view.atEnd],
  );
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX_ESTIMATE,
    getItemKey: (at) => rows[at]?.key ?? at,
    overscan: 10,
    anchorTo: "end",
    followOnAppend: true,
    scrollEndThreshold: 40,
    measureElement: heightOf,
  });
  virtualizer.shouldAdjustScrollPositionOnItemSizeChange = isAbove;
  // Once there is something to show: at the message of the address, the first unread, or the end. Then only when the address changes.
  const placedFor = useRef(-1);
  useLayoutEffect(() => {
    if (placedFor.current === target || !view.loaded || rows.length === 0) return;
    const at = rows.findIndex((row) =>
      target > 0 ? row.kind === "message" && row.message.seq === target : row.kind === "unread",
    );
    // The surroundings of the message are being loaded.
    if (target > 0 && at < 0 && view.loading) return;
    const isFirst = placedFor.current < 0;
    placedFor.current = target;
    if (at >= 0) virtualizer.scrollToIndex(at, { align: target > 0 ? "center" : "start" });
    else if (isFirst) virtualizer.scrollToEnd();
  }, [rows, target, view.loaded, view.loading, virtualizer]);
  const items = virtualizer.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  // A page may hold nothing but replies, and then no row comes of it: what is at hand counts, not what is shown.
  const atHand = view.messages.length;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a page without a row is followed by the next one
  useEffect(() => {
    if (placedFor.current < 0 && (!view.loaded || rows.length > 0)) return;
    if (first < ROWS_AHEAD && view.hasOlder && view.problem === "") void source.loadOlder();
    if (last > rows.length - ROWS_AHEAD && !view.atEnd && view.problem === "")
      void source.loadNewer();
  }, [
    first,
    last,
    rows.length,
    atHand,
    source,
    view.loaded,
    view.hasOlder,
    view.atEnd,
    view.problem,
  ]);
  const health = useHealth();
  useEffect(() => {
    if (health.kind === "online") source.retry();
  }, [health.kind, source]);
  const isAtEnd = useAtEnd(scroller, rows.length);
  useReadMark(room, threadRootSeq, rows, isAtEnd && view.atEnd && view.loaded);
  const toPresent = useCallback(() => {
    void source.show(0).then(() => requestAnimationFrame(() => virtualizer.scrollToEnd()));
    if (target > 0) goTo(room.id, 0, threadRootSeq);
  }, [source, virtualizer, room.id, threadRootSeq, target]);
  const sendsSeen = useRef(sends);
  useEffect(() => {
    if (sendsSeen.current === sends) return;
    sendsSeen.current = sends;
    toPresent();
  }, [sends, toPresent]);
  const unreadHere =
    threadRootSeq === 0
      ? room.unreadCount
      : (followedThread(room, threadRootSeq)?.unreadCount ?? 0);
  const nowMs = useServerNowMs();
  const bySeq = useMemo(
    () => new Map(view.messages.map((message) => [message.seq, message])),
    [view.messages],
  );
  return (
    <div className="messages">
      <div
        className="scroller"
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        onKeyDown={(event) => {
          if (event.key === "/" && !isTyping(event.target)) {
            event.preventDefault();
            acts.search?.();
          } else if (stepsToMessage(event)) event.preventDefault();
        }}
        role="log"
        aria-label={
          threadRootSeq === 0 ? t("list.room", { room: roomName(room, ownId) }) : t("list.thread")
        }
      >
        {view.loaded && !view.hasOlder && rows.length === 0 && (
          <p className="empty">{t("list.empty")}</p>
        )}
        {!view.loaded && view.problem === "" && (
          <p className="empty" role="status">
            {t("app.loading")}
          </p>
        )}
        {view.problem !== "" && (
          <p className="problem" role="alert">
            {view.problem}{" "}
            <button type="button" className="quiet" onClick={() => source.retry()}>
              {t("app.tryAgain")}
            </button>
          </p>
        )}
        <div className="all" style={{ height: virtualizer.getTotalSize() }}>
          <div style={{ transform: `translateY(${items[0]?.start ?? 0}px)` }}>
            {items.map(({ key, index }) => {
              const row = rows[index];
              return row === undefined ? null : (
                <div key={key} data-index={index} ref={virtualizer.measureElement}>
                  <Boundary>
                    <RowView
                      row={row}
                      target={target}
                      nowMs={nowMs}
                      quoted={
                        row.kind === "message" ? bySeq.get(row.message.replyToSeq) : undefined
                      }
                      isSelected={row.kind === "message" ? isSelected(row.message) : undefined}
                      unreadReplies={
                        row.kind === "message"
                          ? (followedThread(room, row.message.seq)?.unreadCount ?? 0)
                          : 0
                      }
                      acts={acts}
                    />
                  </Boundary>
                  {row.kind === "message" && (
                    <Seen names={seen.get(row.message.seq)} isDirect={isDirect(room)} />
                  )}
                </div>
              );
            })}
          </div>
        </div>
      </div>
      {view.loaded && !(isAtEnd && view.atEnd) && (
        <button type="button" className="to-present" onClick={toPresent}>
          {unreadHere > 0 ? t("list.toNewestUnread", { count: unreadHere }) : t("list.toNewest")}
        </button>
      )}
    </div>
  );
}

/** As the library does it, but not rounded: the halves of pixels of ten rows above would show as a jump. */
function heightOf(element: Element, entry: ResizeObserverEntry | undefined, list: List): number {
  const key = list.options.getItemKey(list.indexFromElement(element));
  return (
    entry?.borderBoxSize[0]?.blockSize ??
    list.itemSizeCache.get(key) ??
    element.getBoundingClientRect().height
  );
}

/**
 * A row above what one looks at pushes nothing when its height changes: also while one scrolls up, when it loses its author's name to an older
 * row that came in above it (the library lets that one jump).
 */
function isAbove(item: VirtualItem, _delta: number, { itemSizeCache, scrollOffset }: List) {
  const top = scrollOffset ?? 0;
  return itemSizeCache.has(item.key) ? item.end <= top : item.start < top;
}

function Seen({
  names,
  isDirect: isOfTwo,
}: {
  readonly names: readonly string[] | undefined;
  readonly isDirect: boolean;
}) {
  if (names === undefined) return null;
  // Not read out whenever it moves, as the messages are.
  return (
    <p
      className="seen"
      aria-live="off"
      title={isOfTwo ? undefined : names.map(plainName).join(", ")}
    >
      <bdi>{seenText(names.map(plainName), isOfTwo)}</bdi>
    </p>
  );
}

interface RowViewProps {
  readonly row: Row;
  readonly target: number;
  readonly nowMs: number;
  readonly quoted: Message | undefined;
  readonly isSelected: boolean | undefined;
  readonly unreadReplies: number;
  readonly acts: MessageActs;
}

function RowView(props: RowViewProps) {
  const { row, target, nowMs, quoted, isSelected, unreadReplies, acts } = props;
  switch (row.kind) {
    case "day":
      return (
        <div className="day">
          <span>{dayName(row.atMs, nowMs)}</span>
        </div>
      );
    case "unread":
      return (
        <div className="unread-line">
          <span>{t("list.new")}</span>
        </div>
      );
    case "message":
      return (
        <MessageRow
          message={row.message}
          isGrouped={row.isGrouped}
          isTarget={row.message.seq === target}
          quoted={quoted}
          isSelected={isSelected}
          unreadReplies={unreadReplies}
          acts={acts}
        />
      );
    case "unsent":
      return <UnsentRow item={row.item} />;
  }
}

/** Whether the end of the list can be seen. */
function useAtEnd(scroller: { readonly current: HTMLDivElement | null }, count: number): boolean {
  const [isAtEnd, setIsAtEnd] = useState(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another number of rows is another end
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const look = () =>
      setIsAtEnd(element.scrollHeight - element.scrollTop - element.clientHeight < 60);
    const frame = requestAnimationFrame(look);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      element.removeEventListener("scroll", look);
    };
  }, [scroller, count]);
  return isAtEnd;
}

/** What stands at the end of a list that somebody looks at is read. */
function useReadMark(
  room: Room,
  threadRootSeq: number,
  rows: readonly Row[],
  isAtEnd: boolean,
): void {
  const chat = useChat();
  const isLooking = useLooking();
  const newest = rows.findLast((row) => row.kind === "message");
  const seq = newest?.kind === "message" ? newest.message.seq : 0;
  // Who does not follow a thread has no place there that could move.
  const readSeq =
    threadRootSeq === 0
      ? room.readSeq
      : (followedThread(room, threadRootSeq)?.readSeq ?? Number.POSITIVE_INFINITY);
  useEffect(() => {
    if (isLooking && isAtEnd && seq > readSeq) chat.reads.seen(room.id, seq, threadRootSeq);
  }, [chat, room.id, threadRootSeq, readSeq, seq, isAtEnd, isLooking]);
}

function isLookedAt(): boolean {
  return document.visibilityState === "visible" && document.hasFocus();
}

function useLooking(): boolean {
  const [isLooking, setIsLooking] = useState(isLookedAt);
  useEffect(() => {
    const update = () => setIsLooking(isLookedAt());
    const listening = new AbortController();
    const { signal } = listening;
    window.addEventListener("focus", update, { signal });
    window.addEventListener("blur", update, { signal });
    document.addEventListener("visibilitychange", update, { signal });
    return () => listening.abort();
  }, []);
  return isLooking;
}
