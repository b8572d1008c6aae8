/**
 * Lists of numbers among the arguments of a compiled function, which sees tensors in their place: what is checked of them is
 * checked at every run.
 *
 * @module
 */
import type { Tensor } from "../tensor.ts";

/** As many lists of numbers as there are sequences, all of one length. */
export type NumberLists = readonly ArrayLike<number>[];

/** A tensor that lists of numbers may stand behind. */
interface OfLists extends Tensor {
  lists?: NumberLists | null;
}

/** Where checks are written down, while a function is recorded. */
let checks: (() => void)[] | null = null;

/** The lists that a tensor was made of, if it was. */
export function listsOf(t: OfLists): NumberLists | undefined {
  return t.lists ?? undefined;
}

/** Checks the lists that a tensor was made of, if it was, now and at every later run. */
export function checkLists(t: OfLists, check: (numbers: NumberLists) => void): void {
  if (t.lists == null) return;
  check(t.lists);
  checks?.push(() => check(t.lists!));
}

/** Runs `body`, and writes down what is checked of lists. */
export function collectChecks<R>(into: (() => void)[], body: () => R): R {
  checks = into;
  try {
    return body();
  } finally {
    checks = null;
  }
}

/** Whether a value is lists of numbers, of one length. */
export function isLists(value: unknown): value is NumberLists {
  if (!Array.isArray(value) || value.length === 0) return false;
  const length = lengthOf(value[0]);
  if (length === 0) return false;
  for (let i = 1; i < value.length; i++) if (lengthOf(value[i]) !== length) return false;
  return true;
}

/** The length of a list of numbers; 0 where it is something else. */
function lengthOf(list: unknown): number {
  if (Array.isArray(list)) {
    for (let i = 0; i < list.length; i++) if (typeof list[i] !== "number") return 0;
    return list.length;
  }
  return ArrayBuffer.isView(list) && typeof (list as Int32Array)[0] === "number"
    ? (list as Int32Array).length
    : 0;
}
