/**
 * JSON from a stranger. `JSON.parse` alone keeps the last of two equal names in silence, and nests as deep as a file
 * says, which a recursive walk then pays for with its stack.
 *
 * @module
 */
import { brief, malformed } from "./malformed.ts";

/**
 * How many branches may lie within one another in a tree that is saved or loaded: more than any model has, and few enough
 * that a name of nothing but dots does not become a tree many times its size.
 */
export const deepestTree = 32;

/** A tree within the object that holds its version, and within it the object that stands for a tensor. */
const deepestText = deepestTree + 2;

/**
 * Parses JSON whose names are all different and which is not nested deeper than any tree.
 *
 * @param what the text's name in messages
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

/** Runs over the text once; what is no JSON at all is left for `JSON.parse` to find. */
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
      // Parsed, for "a" and "\u0061" are one name.
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

/** Whether a parsed value is an object and no array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
