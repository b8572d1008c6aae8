/**
 * A report as headings, paragraphs and tables, and its formatting for a terminal and as Markdown.
 *
 * @module
 */

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A part of a report. */
export interface Part {
  readonly title: string;
  /** Before the table. */
  readonly intro?: readonly string[];
  readonly table?: Table;
  /** After the table. */
  readonly notes?: readonly string[];
  /** The file of a figure, beside the report. */
  readonly figure?: string;
}

/** Formats a report for a terminal. */
export function toText(parts: readonly Part[]): string {
  return parts.map(({ title, intro = [], table, notes = [] }) =>
    [title, ...intro.map(wrap), table && textTable(table), ...notes.map(wrap)].filter(Boolean).join("\n\n")
  ).join("\n\n\n") + "\n";
}

/** Formats a report as Markdown. */
export function toMarkdown(heading: string, parts: readonly Part[]): string {
  const bodies = parts.map(({ title, intro = [], table, notes = [], figure }) =>
    [
      `## ${title}`,
      ...intro,
      table && markdownTable(table),
      figure && `![${title}](${figure})`,
      ...notes,
    ].filter(Boolean).join("\n\n")
  );
  return [`# ${heading}`, ...bodies].join("\n\n") + "\n";
}

/** Formats a table for a terminal. */
function textTable(table: Table): string {
  const [columns, ...rows] = padded(table);
  const line = columns.map((cell) => "─".repeat(cell.length));
  return [columns, line, ...rows].map((row) => "  " + row.join("   ").trimEnd()).join("\n");
}

function markdownTable(table: Table): string {
  const [columns, ...rows] = padded(table);
  const line = columns.map((cell, i) =>
    isText(table, i) ? "-".repeat(cell.length) : "-".repeat(cell.length - 1) + ":"
  );
  return [columns, line, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** The names of the columns and the rows, padded to equal widths: text left-aligned, numbers right-aligned. */
function padded(table: Table): string[][] {
  const all = [table.columns, ...table.rows];
  const widths = table.columns.map((_, i) => Math.max(3, ...all.map((row) => row[i].length)));
  return all.map((row) =>
    row.map((cell, i) => isText(table, i) ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))
  );
}

/** Whether a column is text: one with a cell that starts with a letter. */
function isText({ rows }: Table, column: number): boolean {
  return rows.some((row) => /^[a-z]/i.test(row[column]));
}

/** Wraps a paragraph to lines of at most 100 characters. */
function wrap(paragraph: string): string {
  const lines: string[] = [];
  for (const word of paragraph.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= 100) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines.join("\n");
}
