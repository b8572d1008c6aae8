/**
 * The errors for invalid files. Each is a TypeError "Cannot load tree: <requirement>, current <thing> is <value>",
 * and short, even if it quotes a long text from the file.
 *
 * @module
 */

/** Creates the error for an invalid file; the caller throws it. */
export function malformed(requirement: string, current: string, cause?: unknown): TypeError {
  return new TypeError(`Cannot load tree: ${requirement}, current ${current}`, { cause });
}

/** A short form of a value from a file, for messages. */
export function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
