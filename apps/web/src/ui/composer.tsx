// Where one writes. What is typed is kept with every key; what is sent leaves the field once it is durable in the outbox.
import { LIMITS, type Message, type Room, type SendOptions } from "@parley/client/browser";
import {
  type KeyboardEvent,
  type Ref,
  Suspense,
  useEffect,
  useId,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { flushSync } from "react-dom";
import { draftOf, holdUnkept, saveDraft } from "../chat/saved.ts";
import { sayProblem } from "../text/problem-text.ts";
import { rich } from "../text/rich.ts";
import { t } from "../text/t.ts";
import { serverNowMs, useChat, useMayNotWrite } from "./chat-context.ts";
import { type Completed, completableAt, completed } from "./completion.ts";
import { mutedText, plainName, tooLongText } from "./format.ts";
import { EmojiDialog } from "./later.ts";
import { wordsOf } from "./markdown.tsx";
import { type Offer, useOffers } from "./offers.ts";
import { useSetAside } from "./set-aside.tsx";
import { UploadList, useUploads } from "./upload-list.tsx";

interface ComposerProps {
  readonly ref: Ref<HTMLTextAreaElement>;
  readonly room: Room;
  /** The thread that is written in; left out = the room itself. */
  readonly threadRootSeq?: number;
  readonly name: string;
  /** The message that is edited; undefined = a new one is written. */
  readonly editing: Message | undefined;
  /** The message that is answered; undefined = none. */
  readonly replying: Message | undefined;
  readonly onNoReply: () => void;
  readonly onDone: () => void;
  readonly onEditLast: () => void;
  readonly onSent: () => void;
}

const HEIGHT_PX_MAX = 240;

export function Composer(props: ComposerProps) {
  const {
    ref,
    room,
    threadRootSeq = 0,
    name,
    editing,
    replying,
    onNoReply,
    onDone,
    onEditLast,
    onSent,
  } = props;
  const chat = useChat();
  const isMuted = useMayNotWrite(room);
  const [text, setText] = useState(
    () => editing?.body ?? draftOf(chat.scope, room.id, threadRootSeq),
  );
  const [problem, setProblem] = useState("");
  const uploads = chat.uploads(room.id, threadRootSeq);
  const chosenFiles = useUploads(uploads);
  const picker = useRef<HTMLInputElement>(null);
  const attach = (list: FileList | null) => {
    if (editing !== undefined || list === null || list.length === 0) return;
    try {
      uploads.add([...list]);
      setProblem("");
    } catch (cause) {
      sayProblem(cause, setProblem);
    }
  };
  const hasFiles = editing === undefined && chosenFiles.length > 0;
  const field = useRef<HTMLTextAreaElement>(null);
  const isStoring = useRef(false);
  /** How much stood in the field whenever Enter was pressed while a message was being stored. */
  const enters = useRef<number[]>([]);
  const [cursor, setCursor] = useState(0);
  const [chosen, setChosen] = useState(0);
  const [isPicking, setIsPicking] = useState(false);
  const listId = useId();
  const aside = useSetAside(room.id, threadRootSeq);
  const begun = completableAt(text, cursor);
  const offered = useOffers(chat, room, begun);
  const put = (next: Completed) => {
    change(next.text);
    setCursor(next.cursor);
    requestAnimationFrame(() => {
      field.current?.focus();
      field.current?.setSelectionRange(next.cursor, next.cursor);
    });
  };
  const complete = (offer: Offer | undefined) => {
    if (begun !== undefined && offer !== undefined) put(completed(text, begun, offer.word));
  };
  const insert = (piece: string) => {
    const { selectionStart: from = 0, selectionEnd: to = 0 } = field.current ?? {};
    put({ text: text.slice(0, from) + piece + text.slice(to), cursor: from + piece.length });
  };
  useImperativeHandle(ref, () => field.current as HTMLTextAreaElement);
  useEffect(() => {
    // On a phone the keyboard would cover the room that was just opened.
    if (matchMedia("(pointer: fine)").matches) field.current?.focus();
    const { length } = field.current?.value ?? "";
    field.current?.setSelectionRange(length, length);
  }, []);
  useLayoutEffect(() => {
    const element = field.current;
    if (element === null) return;
    if (text.length > LIMITS.bodyBytesMax) {
      // Taller than the bound by far; to measure it takes as long as to lay it out.
      element.style.height = `${HEIGHT_PX_MAX}px`;
      return;
    }
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight + 2, HEIGHT_PX_MAX)}px`;
  }, [text]);
  const isChanging = editing !== undefined && text !== editing.body;
  useEffect(() => (isChanging ? holdUnkept() : undefined), [isChanging]);
  const change = (next: string) => {
    setText(next);
    setProblem("");
    if (editing === undefined) saveDraft(chat.scope, room.id, threadRootSeq, next);
  };
  async function send() {
    if (isStoring.current) {
      const end = field.current?.value.length ?? 0;
      // A key that is held down says nothing more: there are as many as there are characters at the most.
      if (end !== enters.current.at(-1)) enters.current.push(end);
      return;
    }
    if (text.trim() === "" && !hasFiles) return;
    const files = chosenFiles.flatMap(({ file }) => file ?? []);
    if (files.length < chosenFiles.length) return setProblem(t("files.wait"));
    isStoring.current = true;
    try {
      const options = { replyToSeq: replying?.seq, threadRootSeq };
      await store(text, hasFiles ? text.trim() : text, hasFiles ? { ...options, files } : options);
      uploads.clear(files);
      onSent();
      // Whoever writes on while a message is being stored, and presses Enter, has written the next one.
      for (let end = enters.current.shift(); end !== undefined; end = enters.current.shift()) {
        const next = field.current?.value.slice(0, end) ?? "";
        if (next.trim() !== "") await store(next, next, { threadRootSeq });
      }
    } catch (cause) {
      sayProblem(cause, setProblem);
    } finally {
      isStoring.current = false;
      enters.current = [];
    }
  }
  /** `typed`: what goes from the field once `body` is kept. What was typed meanwhile stays. */
  async function store(typed: string, body: string, options: SendOptions) {
    const { stored, committed } = chat.client.enqueue(room.id, body, options);
    // What becomes of it stands at its row.
    committed.catch(() => {});
    await stored;
    const now = field.current?.value ?? typed;
    if (!now.startsWith(typed)) {
      enters.current = [];
      return;
    }
    enters.current = enters.current.map((end) => end - typed.length);
    // At once: what is read from the field next must not have it any more.
    flushSync(() => change(now.slice(typed.length)));
  }
  async function edit(message: Message) {
    const body = text.trim();
    if (body === "" || isStoring.current) return;
    if (body === message.body) return onDone();
    isStoring.current = true;
    try {
      await chat.client.call("edit", {
        roomId: room.id,
        seq: message.seq,
        body,
        expectedVersion: message.version,
      });
      onDone();
    } catch (cause) {
      sayProblem(cause, setProblem);
    } finally {
      isStoring.current = false;
    }
  }
  const tooLong = tooLongText(text, LIMITS.bodyBytesMax);
  const submit = () => {
    // It stands above the field why not.
    if (tooLong === "" && !isMuted) void (editing === undefined ? send() : edit(editing));
  };
  const onKey = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // 229: some browsers tell of the Enter that ends a composition after the composition.
    const isComposing = event.nativeEvent.isComposing || event.keyCode === 229;
    if (offered.length > 0 && !isComposing) {
      const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (step !== 0) {
        event.preventDefault();
        setChosen((chosen + step + offered.length) % offered.length);
        return;
      }
      if (event.key === "Tab" || event.key === "Enter") {
        event.preventDefault();
        complete(offered[chosen] ?? offered[0]);
        return;
      }
      if (event.key === "Escape") {
        event.preventDefault();
        setCursor(0);
        return;
      }
    }
    if (event.key === "Enter" && !event.shiftKey && !isComposing) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && editing !== undefined) {
      event.preventDefault();
      onDone();
    } else if (event.key === "Escape" && replying !== undefined) {
      event.preventDefault();
      onNoReply();
    } else if (event.key === "ArrowUp" && text === "" && editing === undefined && !event.altKey) {
      event.preventDefault();
      onEditLast();
    }
  };
  return (
    <form
      className="composer"
      onDragOver={(event) => {
        if (event.dataTransfer.types.includes("Files")) event.preventDefault();
      }}
      onDrop={(event) => {
        if (event.dataTransfer.files.length === 0) return;
        event.preventDefault();
        attach(event.dataTransfer.files);
      }}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {editing !== undefined && (
        <p className="editing">
          {rich("composer.editing", { enter: <kbd>Enter</kbd>, escape: <kbd>Escape</kbd> })}
        </p>
      )}
      {replying !== undefined && (
        <p className="editing">
          {rich("composer.answering", {
            author: <bdi>{plainName(replying.author)}</bdi>,
            excerpt: <bdi>{wordsOf(replying)}</bdi>,
          })}{" "}
          <button type="button" className="quiet" onClick={onNoReply}>
            {t("composer.noReply")}
          </button>
        </p>
      )}
      {isMuted && (
        <p className="editing" role="status">
          {t("composer.muted", { why: mutedText(room, serverNowMs(chat)) })}
        </p>
      )}
      {aside.notice}
      {tooLong !== "" && (
        <p className="problem" role="alert">
          {tooLong}
        </p>
      )}
      {problem !== "" && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {offered.length > 0 && (
        <div
          className="names"
          role="listbox"
          id={listId}
          aria-label={t(
            begun?.kind === "emoji" ? "composer.offersEmoji" : "composer.offersMembers",
          )}
        >
          {offered.map((one, at) => (
            // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field, which names the chosen option
            // biome-ignore lint/a11y/useKeyWithClickEvents: as above
            <div
              key={one.word}
              id={`${listId}-${at}`}
              role="option"
              aria-selected={at === chosen}
              className="pick"
              onClick={() => complete(one)}
            >
              {one.sign}
              <bdi>{one.name}</bdi>
            </div>
          ))}
        </div>
      )}
      {editing === undefined && <UploadList uploads={uploads} />}
      <div className="field">
        <textarea
          ref={field}
          rows={1}
          // Browsers look for each line's direction again and again: of very many they make minutes.
          dir={tooLong === "" ? "auto" : undefined}
          value={text}
          aria-label={
            editing === undefined ? t("composer.label", { name }) : t("composer.editLabel")
          }
          placeholder={t("composer.label", { name })}
          aria-controls={offered.length > 0 ? listId : undefined}
          aria-activedescendant={offered.length > 0 ? `${listId}-${chosen}` : undefined}
          aria-autocomplete="list"
          onChange={(event) => {
            change(event.target.value);
            const isWriting = editing === undefined && event.target.value.trim() !== "";
            if (isWriting && !isMuted) chat.typing(room.id);
            setCursor(event.target.selectionStart);
            setChosen(0);
          }}
          onKeyDown={onKey}
          onPaste={(event) => {
            if (event.clipboardData.files.length === 0) return aside.onPaste(event);
            event.preventDefault();
            attach(event.clipboardData.files);
          }}
          onDrop={(event) => {
            // Files are the form's.
            if (event.dataTransfer.files.length === 0) aside.onDrop(event);
          }}
        />
        {editing === undefined && (
          <>
            <input
              ref={picker}
              type="file"
              multiple
              hidden
              onChange={({ currentTarget }) => {
                attach(currentTarget.files);
                // The same one may be chosen again.
                currentTarget.value = "";
              }}
            />
            <button
              type="button"
              aria-label={t("files.attach")}
              onClick={() => picker.current?.click()}
            >
              📎
            </button>
          </>
        )}
        <button type="button" aria-label={t("composer.emoji")} onClick={() => setIsPicking(true)}>
          🙂
        </button>
        <button
          className="primary"
          type="submit"
          disabled={isMuted || tooLong !== "" || (text.trim() === "" && !hasFiles)}
        >
          {t(editing === undefined ? "composer.send" : "composer.save")}
        </button>
      </div>
      {isPicking && (
        <Suspense fallback={null}>
          <EmojiDialog
            title={t("composer.pick")}
            onPick={(emoji) => {
              setIsPicking(false);
              insert(emoji);
            }}
            onClose={() => setIsPicking(false)}
          />
        </Suspense>
      )}
    </form>
  );
}
