/**
 * Checks the names that callers write, those of options and of tensors in a file. The error for an unknown name
 * suggests the nearest known one.
 *
 * @module
 */
import { show } from "./check.ts";

/** The names of an interface's options, as an object with arbitrary values. */
export type Names<O> = { readonly [K in keyof O]-?: unknown };

/**
 * Checks that options are an object with known names only.
 *
 * @param name the name of the options in messages
 */
export function checkNames<O extends object>(
  action: string,
  options: O,
  known: Names<O>,
  name = "options",
): void {
  // A promise has no names of its own, so that it would pass as options without any.
  if (typeof options !== "object" || options === null || options instanceof Promise) {
    throw new TypeError(`Cannot ${action}: ${name} must be an object, current value is ${show(options)}`);
  }
  for (const key in options) {
    if (Object.hasOwn(known, key)) continue;
    const names = Object.keys(known), near = nearest(key, names);
    throw new TypeError(
      `Cannot ${action}: ${name} must have ${
        near === undefined ? `names among ${names.join(", ")}` : `known names (perhaps ${near})`
      }, current one is ${key}`,
    );
  }
}

/**
 * The name that was probably meant: by few edits, by initials (`lr`), as a part (`tokens`) or shortened (`maxBytes`),
 * ignoring case and underscores; undefined if there is none.
 */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  const wanted = plain(name);
  let found: string | undefined, least = Math.max(1, wanted.length / 3);
  for (const other of names) {
    const candidate = plain(other);
    // Names that differ only in case or underscores are nearer than parts.
    let distance = Math.abs(candidate.length - wanted.length) > least ? Infinity : edits(wanted, candidate);
    if (distance > 0.5 && isShort(wanted, other, candidate)) distance = 0.5;
    // Among equally near names, the first is taken.
    if (found === undefined ? distance <= least : distance < least) {
      found = other;
      least = distance;
    }
  }
  return found;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, "");
}

function isShort(wanted: string, other: string, candidate: string): boolean {
  const initials = other.slice(0, 1) + other.slice(1).replace(/[^A-Z]/g, "");
  return wanted !== "" &&
    (initials.toLowerCase() === wanted || candidate.includes(wanted) ||
      wanted.length > 3 && isSubsequence(wanted, candidate));
}

/** Whether all letters occur in another name in the same order. */
function isSubsequence(letters: string, name: string): boolean {
  let at = -1;
  return Array.from(letters).every((letter) => (at = name.indexOf(letter, at + 1)) >= 0);
}

/** The smallest number of insertions, deletions and replacements of letters (Levenshtein distance). */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(a[i - 1] !== b[j - 1])));
    }
    row = next;
  }
  return row[b.length];
}
