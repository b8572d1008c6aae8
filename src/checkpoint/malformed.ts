/**
 * The errors of files that can't be loaded: always a TypeError of the form "Cannot load tree: <requirement>, current
 * <thing> is <value>", and always short, however long the text that a file puts into it.
 *
 * @module
 */

/** The error of a file that breaks a rule; the caller throws it. */
export function malformed(requirement: string, current: string, cause?: unknown): TypeError {
  return new TypeError(`Cannot load tree: ${requirement}, current ${current}`, { cause });
}

/** A value out of a file, for a message. */
export function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
