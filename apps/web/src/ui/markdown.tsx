// What people write, as elements. The parser makes a tree, and each kind of node that is known here becomes an element: HTML never exists, so
// nothing that somebody writes can run. What is not known is shown as text.
import type { Message } from "@parley/client/browser";
import type { Nodes, RootContent } from "mdast";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmAutolinkLiteralFromMarkdown } from "mdast-util-gfm-autolink-literal";
import { gfmStrikethroughFromMarkdown } from "mdast-util-gfm-strikethrough";
import { gfmTableFromMarkdown } from "mdast-util-gfm-table";
import { gfmTaskListItemFromMarkdown } from "mdast-util-gfm-task-list-item";
import { gfmAutolinkLiteral } from "micromark-extension-gfm-autolink-literal";
import { gfmStrikethrough } from "micromark-extension-gfm-strikethrough";
import { gfmTable } from "micromark-extension-gfm-table";
import { gfmTaskListItem } from "micromark-extension-gfm-task-list-item";
import { Fragment, memo, type ReactNode } from "react";
import { t } from "../text/t.ts";
import { CodeBlock } from "./code-block.tsx";
import { plainName } from "./format.ts";

/** Deeper than this it is shown as it was written. */
const DEPTH_MAX = 12;
/** A parser may take long over what is not meant to be read. */
const MARKS_MAX = 2_000;
const EXCERPT_CHARACTERS_MAX = 120;
/** So much of a text is read for it. */
const EXCERPT_SOURCE_MAX = 1_000;
/** GitHub's, without footnotes: a message has no foot. */
const SYNTAX = {
  extensions: [gfmAutolinkLiteral(), gfmStrikethrough(), gfmTable(), gfmTaskListItem()],
  mdastExtensions: [
    gfmAutolinkLiteralFromMarkdown(),
    gfmStrikethroughFromMarkdown(),
    gfmTableFromMarkdown(),
    gfmTaskListItemFromMarkdown(),
  ],
};
const SAFE_LINK = /^(?:https?:|mailto:)/i;

export const Markdown = memo(function Markdown({ text }: { readonly text: string }) {
  const tree = parsed(text);
  if (tree === undefined) return <p className="plain">{text}</p>;
  return <>{childrenOf(tree, text, 0)}</>;
});

function parsed(text: string): Nodes | undefined {
  if ((text.match(/[*_`[\]<>~|#]/g)?.length ?? 0) > MARKS_MAX) return undefined;
  try {
    return fromMarkdown(text, SYNTAX);
  } catch {
    return undefined;
  }
}

/** The beginning of what somebody wrote, without its marks, in one line. */
export function excerptOf(text: string): string {
  const start = text.slice(0, EXCERPT_SOURCE_MAX);
  const tree = parsed(start);
  const read = tree === undefined ? "" : readOf(tree);
  const line = (read.trim() === "" ? start : read).replace(/\s+/g, " ").trim();
  const characters = [...line];
  return characters.length <= EXCERPT_CHARACTERS_MAX
    ? line
    : `${characters.slice(0, EXCERPT_CHARACTERS_MAX).join("")} …`;
}

/** What stands in one line, and not below one another. */
const IN_LINE = new Set(["paragraph", "heading", "strong", "emphasis", "delete", "link"]);

function readOf(node: Nodes): string {
  if ("value" in node) return node.value;
  if (!("children" in node)) return "alt" in node ? (node.alt ?? "") : " ";
  const children: readonly RootContent[] = node.children;
  return children.map(readOf).join(IN_LINE.has(node.type) ? "" : " ");
}

function childrenOf(node: Nodes, source: string, depth: number): ReactNode {
  if (!("children" in node)) return null;
  if (depth > DEPTH_MAX) return sourceOf(node, source);
  const children: readonly RootContent[] = node.children;
  // Positions in the text are the order itself, and do not change under a message.
  return children.map((child, at) => (
    <Fragment key={child.position?.start.offset ?? at}>
      {elementOf(child, source, depth + 1)}
    </Fragment>
  ));
}

function sourceOf(node: Nodes, source: string): string {
  const { position } = node;
  return source.slice(position?.start.offset ?? 0, position?.end.offset ?? 0);
}

function elementOf(node: RootContent, source: string, depth: number): ReactNode {
  const inside = () => childrenOf(node, source, depth);
  switch (node.type) {
    case "text":
      return node.value;
    case "paragraph":
      return <p>{inside()}</p>;
    case "strong":
      return <strong>{inside()}</strong>;
    case "emphasis":
      return <em>{inside()}</em>;
    case "delete":
      return <del>{inside()}</del>;
    case "inlineCode":
      return <code>{node.value}</code>;
    case "code":
      return <CodeBlock code={node.value} language={node.lang ?? ""} />;
    case "break":
      return <br />;
    case "blockquote":
      return <blockquote>{inside()}</blockquote>;
    case "list":
      return node.ordered === true ? (
        <ol start={node.start ?? 1}>{inside()}</ol>
      ) : (
        <ul>{inside()}</ul>
      );
    case "listItem":
      return <li className={taskClass(node.checked)}>{inside()}</li>;
    case "heading":
      return (
        <p>
          <strong>{inside()}</strong>
        </p>
      );
    case "thematicBreak":
      return <hr />;
    case "link":
      return SAFE_LINK.test(node.url) ? (
        <Link url={node.url}>{inside()}</Link>
      ) : (
        sourceOf(node, source)
      );
    // Loading it would tell its server who reads this, and when.
    case "image":
      return SAFE_LINK.test(node.url) ? (
        <Link url={node.url}>{node.alt === "" || node.alt === null ? node.url : node.alt}</Link>
      ) : (
        sourceOf(node, source)
      );
    case "table": {
      const [head, ...rows] = node.children;
      return (
        <div className="table">
          <table>
            <thead>
              <tr>
                {head?.children.map((cell, at) => (
                  <th key={cell.position?.start.offset ?? at} scope="col">
                    {childrenOf(cell, source, depth + 1)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, at) => (
                <Fragment key={row.position?.start.offset ?? at}>
                  {elementOf(row, source, depth + 1)}
                </Fragment>
              ))}
            </tbody>
          </table>
        </div>
      );
    }
    case "tableRow":
      return <tr>{inside()}</tr>;
    case "tableCell":
      return <td>{inside()}</td>;
    default:
      return sourceOf(node, source);
  }
}

/** Undefined for an item that is no task. */
function taskClass(checked: boolean | null | undefined): string | undefined {
  if (typeof checked !== "boolean") return undefined;
  return checked ? "task-done" : "task-open";
}

function Link({ url, children }: { readonly url: string; readonly children: ReactNode }) {
  return (
    <a href={url} target="_blank" rel="noopener noreferrer nofollow" title={url}>
      {children}
    </a>
  );
}

/** What a message says in a line: its first words, else its files. */
export function wordsOf({ body, attachments }: Pick<Message, "body" | "attachments">): string {
  if (body !== "" || attachments.length === 0) return excerptOf(body);
  return t("files.only", { names: attachments.map(({ name }) => plainName(name)).join(", ") });
}
