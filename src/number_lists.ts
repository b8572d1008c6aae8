/**
 * Lists of numbers, such as token ids, among the arguments of a compiled function. While the function is recorded, it
 * gets stand-ins that have the lists' lengths and represent a tensor of their numbers. Checks of the numbers are
 * repeated at every run.
 *
 * @module
 */
import type { Tensor } from "./tensor.ts";

/** A list of numbers for each sequence, all of the same length. */
export type NumberLists = readonly ArrayLike<number>[];

/** A tensor whose numbers come from lists. */
interface ListTensor extends Tensor {
  lists: NumberLists | null;
}

/** The tensors that stand-ins represent. */
const tensors = new WeakMap<object, ListTensor>();

/** The checks of lists in a recorded function. */
export interface ListChecks {
  readonly checks: (() => void)[];
  /** Whether a check failed; the function may then have computed something else. */
  failed: boolean;
}

/** The checks of the function that is being recorded. */
let recording: ListChecks | null = null;

/** The tensor that a value represents, if it is a stand-in. */
export function tensorOfLists(value: unknown): ListTensor | undefined {
  return typeof value === "object" && value !== null ? tensors.get(value) : undefined;
}

/** Creates a stand-in with the lengths of lists, whose numbers can't be read; `tensor` holds them. */
export function standInFor(lists: NumberLists, tensor: ListTensor): NumberLists {
  const row = new Proxy(new Array(lists[0].length), {
    get(_, key) {
      if (key === "length") return lists[0].length;
      throw new TypeError(
        "Cannot compile: f must not look at the numbers of its lists, which change from call to call; current one reads " +
          (typeof key === "string" && /^\d+$/.test(key) ? `element ${key}` : String(key)),
      );
    },
  });
  const standIn = Object.freeze(Array.from(lists, () => row as unknown as ArrayLike<number>));
  tensors.set(standIn, tensor);
  return standIn;
}

/** The numbers of lists, or of a tensor that represents lists; undefined for other tensors. */
export function listsOf(value: NumberLists | Tensor): NumberLists | undefined {
  if (Array.isArray(value)) return tensors.get(value)?.lists ?? value;
  return (value as Partial<ListTensor> | null)?.lists ?? undefined;
}

/** Checks the lists that a tensor's numbers come from, if any, now and at every later run. */
export function checkLists(t: Tensor, check: (numbers: NumberLists) => void): void {
  const tensor = t as Partial<ListTensor>;
  if (tensor.lists == null) return;
  recording?.checks.push(() => check(tensor.lists!));
  try {
    check(tensor.lists);
  } catch (error) {
    if (recording !== null) recording.failed = true;
    throw error;
  }
}

/** Runs `body` and records its checks of lists. */
export function recordChecks<R>(into: ListChecks, body: () => R): R {
  const outer = recording;
  recording = into;
  try {
    return body();
  } finally {
    recording = outer;
  }
}

/** Whether a value is lists of numbers of the same length. */
export function isLists(value: unknown): value is NumberLists {
  if (!Array.isArray(value) || value.length === 0) return false;
  const length = lengthOf(value[0]);
  if (length === 0) return false;
  for (let i = 1; i < value.length; i++) if (lengthOf(value[i]) !== length) return false;
  return true;
}

/** The length of a list of numbers; 0 for other values. */
function lengthOf(list: unknown): number {
  if (Array.isArray(list)) {
    for (let i = 0; i < list.length; i++) if (typeof list[i] !== "number") return 0;
    return list.length;
  }
  return ArrayBuffer.isView(list) && typeof (list as Int32Array)[0] === "number"
    ? (list as Int32Array).length
    : 0;
}
