// Columns of text, aligned.
import { stripVTControlCharacters } from "node:util";

export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

function width(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** One string a line; cells may carry colours. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const titles = columns.map((column) => column.title);
  const widths = columns.map((_, at) =>
    Math.max(...[titles, ...rows].map((row) => width(row[at] ?? ""))),
  );
  const line = (row: readonly string[]) =>
    columns
      .map((column, at) => {
        const cell = row[at] ?? "";
        const gap = " ".repeat(Math.max(0, (widths[at] ?? 0) - width(cell)));
        return column.align === "left" ? cell + gap : gap + cell;
      })
      .join("  ")
      .trimEnd();
  return [line(titles), ...rows.map(line)];
}
