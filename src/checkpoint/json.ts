/**
 * Parses JSON from untrusted files. `JSON.parse` alone silently keeps the last of two equal names, and allows any
 * depth, so that a recursive walk of the result could overflow the stack.
 *
 * @module
 */
import { brief, malformed } from "./malformed.ts";

/**
 * The maximum depth of a tree that is saved or loaded: deeper than any model, but so small that a name that consists
 * of dots does not become a tree many times its size.
 */
export const deepestTree = 32;

/** The tree is inside the object with its version, and its tensors are objects. */
const deepestText = deepestTree + 2;

/**
 * Parses JSON in which no name is repeated within an object and whose depth is limited.
 *
 * @param what the name of the text in messages
 */
export function parseJson(text: string, what: string): unknown {
  try {
    checkNames(text, what);
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw malformed(`${what} must be JSON`, `text is ${brief(text)}`, error);
  }
}

/** Scans the text once. Invalid JSON is left for `JSON.parse` to report. */
function checkNames(text: string, what: string): void {
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === "{" || character === "[") {
      if (open.push(new Set()) > deepestText) {
        throw malformed(`${what} must be nested at most ${deepestText} levels deep`, "text is deeper");
      }
    } else if (character === "}" || character === "]") {
      open.pop();
    } else if (character === '"') {
      const start = i++;
      while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      if (!isFollowedByColon(text, i + 1)) continue;
      // Parsed, since "a" and "\u0061" are the same name.
      const name: string = JSON.parse(text.slice(start, i + 1));
      const names = open.at(-1);
      if (names?.has(name)) {
        throw malformed(`${what} must not repeat a name`, `name ${brief(name)} is repeated`);
      }
      names?.add(name);
    }
  }
}

function isFollowedByColon(text: string, start: number): boolean {
  let i = start;
  while (text[i] === " " || text[i] === "\n" || text[i] === "\r" || text[i] === "\t") i++;
  return text[i] === ":";
}

/** Whether a parsed value is an object but not an array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
