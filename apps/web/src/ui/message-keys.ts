// Going through messages by keyboard: ↑ and ↓ lead from one to the next, and from there Tab to what can be done with it.
import type { KeyboardEvent } from "react";

/** Whether keys make text there. */
export function isTyping(target: EventTarget): boolean {
  return (
    target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]")
  );
}

/** Moves the focus from the list, or from what has it there, to a message, if that is what the key asks for and there is one. */
export function stepsToMessage(event: KeyboardEvent<HTMLElement>): boolean {
  const { key, altKey, ctrlKey, metaKey, shiftKey, currentTarget: list, target } = event;
  const step = key === "ArrowUp" ? -1 : key === "ArrowDown" ? 1 : 0;
  if (step === 0 || altKey || ctrlKey || metaKey || shiftKey || isTyping(target)) return false;
  const messages = [...list.querySelectorAll<HTMLElement>("article.message")];
  const at = messages.findIndex((one) => one.contains(target as Node));
  const next = at >= 0 ? messages[at + step] : messages.findLast((one) => isSeen(one, list));
  if (next === undefined) return false;
  next.focus();
  return true;
}

function isSeen(message: HTMLElement, list: HTMLElement): boolean {
  const [seen, whole] = [message.getBoundingClientRect(), list.getBoundingClientRect()];
  return seen.top < whole.bottom && seen.bottom > whole.top;
}
