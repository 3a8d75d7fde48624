// Every emoji, by category and by name. The grid and the table are loaded when the dialog opens for the first time.
import type {
  EmojiPickerListEmojiProps,
  EmojiPickerListRowProps,
  EmojiPicker as Picker,
} from "frimousse";
import { useEffect, useState } from "react";
import { t } from "../text/t.ts";
import { DialogBoundary } from "./boundary.tsx";
import { type EmojiTable, emojiTable } from "./emoji.ts";
import { Modal } from "./modal.tsx";

interface EmojiDialogProps {
  readonly title: string;
  readonly onPick: (emoji: string) => void;
  readonly onClose: () => void;
}

interface Loaded {
  readonly EmojiPicker: typeof Picker;
  readonly table: EmojiTable;
}

async function load(): Promise<Loaded> {
  const [{ EmojiPicker }, table] = await Promise.all([import("frimousse"), emojiTable()]);
  return { EmojiPicker, table };
}

export function EmojiDialog(props: EmojiDialogProps) {
  return (
    <DialogBoundary onClose={props.onClose}>
      <Choice {...props} />
    </DialogBoundary>
  );
}

function Choice({ title, onPick, onClose }: EmojiDialogProps) {
  const [loaded, setLoaded] = useState<Loaded>();
  const [isFailed, setIsFailed] = useState(false);
  useEffect(() => {
    let isGone = false;
    load().then(
      (now) => !isGone && setLoaded(now),
      () => !isGone && setIsFailed(true),
    );
    return () => {
      isGone = true;
    };
  }, []);
  return (
    <Modal title={title} onClose={onClose} className="emoji">
      {isFailed ? (
        <p className="problem" role="alert">
          {t("emoji.failed")}
        </p>
      ) : loaded === undefined ? (
        <p className="empty" role="status">
          {t("app.loading")}
        </p>
      ) : (
        <Grid loaded={loaded} onPick={onPick} />
      )}
    </Modal>
  );
}

interface GridProps {
  readonly loaded: Loaded;
  readonly onPick: (emoji: string) => void;
}

function Grid({ loaded: { EmojiPicker, table }, onPick }: GridProps) {
  return (
    <EmojiPicker.Root
      className="emoji-picker"
      columns={8}
      resolveEmojiData={() => table.data}
      onEmojiSelect={({ emoji }) => onPick(emoji)}
    >
      <div className="line">
        <EmojiPicker.Search
          placeholder={t("emoji.hint")}
          aria-label={t("emoji.search")}
          autoFocus
        />
        <EmojiPicker.SkinToneSelector aria-label={t("emoji.skinTone")} />
      </div>
      <EmojiPicker.Viewport className="grid">
        <EmojiPicker.Empty>{t("emoji.none")}</EmojiPicker.Empty>
        <EmojiPicker.List aria-label={t("emoji.list")} components={{ Row, Emoji }} />
      </EmojiPicker.Viewport>
      <EmojiPicker.ActiveEmoji>
        {({ emoji }) => (
          <p className="active" aria-hidden="true">
            {emoji === undefined ? t("emoji.keys") : emoji.label}
          </p>
        )}
      </EmojiPicker.ActiveEmoji>
    </EmojiPicker.Root>
  );
}

// The library counts rows and columns from 0, a screen reader from 1.

function Row({ "aria-rowindex": at, ...props }: EmojiPickerListRowProps) {
  return <div {...props} {...counted("aria-rowindex", at)} />;
}

function Emoji({ emoji, "aria-colindex": at, ...props }: EmojiPickerListEmojiProps) {
  return (
    <button type="button" {...props} {...counted("aria-colindex", at)}>
      {emoji.emoji}
    </button>
  );
}

function counted(attribute: string, at: number | undefined): Readonly<Record<string, number>> {
  return at === undefined ? {} : { [attribute]: at + 1 };
}
