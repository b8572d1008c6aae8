/**
 * Formats results as compact JSON with readable diffs: one row per line, numbers with four significant digits.
 *
 * @module
 */

/** Items of top-level lists have a line of their own; integers are exact. */
export function toRows(result: object): string {
  const entries = Object.entries(result).filter(([, value]) => value !== undefined).map(([key, value]) => {
    const isRows = Array.isArray(value) && value.length > 0;
    const shown = isRows
      ? `[\n${value.map((row) => `    ${compact(row)}`).join(",\n")}\n  ]`
      : compact(value);
    return `  ${JSON.stringify(key)}: ${shown}`;
  });
  return `{\n${entries.join(",\n")}\n}\n`;
}

function compact(value: unknown): string {
  return JSON.stringify(
    value,
    (_, each) => typeof each === "number" && !Number.isInteger(each) ? Number(each.toPrecision(4)) : each,
  );
}
