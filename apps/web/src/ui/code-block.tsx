// Fenced code, in colours once its language's grammar is there; until then, and without one, as it was written.
import { memo, useEffect, useMemo, useState } from "react";

type Highlight = typeof import("./highlight.ts");

let loaded: Highlight | undefined;

/** Loaded with the first code that names its language; where it can't be, code stays plain. */
function useHighlight(isWanted: boolean): Highlight | undefined {
  const [highlight, setHighlight] = useState(loaded);
  useEffect(() => {
    if (!isWanted || highlight !== undefined) return;
    import("./highlight.ts").then(
      (now) => {
        loaded = now;
        setHighlight(now);
      },
      () => {},
    );
  }, [isWanted, highlight]);
  return highlight;
}

interface CodeBlockProps {
  readonly code: string;
  /** As it stands behind the fence; empty = none. */
  readonly language: string;
}

export const CodeBlock = memo(function CodeBlock({ code, language }: CodeBlockProps) {
  const highlight = useHighlight(language !== "");
  const pieces = useMemo(
    () => (language === "" ? undefined : highlight?.piecesOf(language, code)),
    [highlight, language, code],
  );
  return (
    <pre>
      <code>
        {pieces === undefined
          ? code
          : pieces.map(({ text, kind }, at) =>
              kind === "" ? (
                text
              ) : (
                // biome-ignore lint/suspicious/noArrayIndexKey: a piece is its place in the code, which does not change
                <span key={at} className={kind}>
                  {text}
                </span>
              ),
            )}
      </code>
    </pre>
  );
});
