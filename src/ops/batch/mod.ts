/**
 * Sessions as one batch: their states stacked, stepped together, and taken apart again.
 *
 * @module
 */
import { checkInteger, isBranch, isTensor, sharedBackend, show, showShape, wider } from "../../check.ts";
import type { GradientRule, Tensor } from "../../tensor.ts";
import { forEachTensor, treeMap } from "../../tree.ts";

/**
 * Joins the states of several sessions into the state of one batch: every tensor along its first axis.
 *
 * @param states trees of one form; a tensor's shapes agree but for the first axis (so attention's caches must be of
 *   one length)
 * @returns a tree of the same form, whose tensors hold the sessions one after another; where all states have one tensor in
 *   two places, so has it
 * @throws {TypeError} if there is no state, or the trees, shapes or backends differ
 *
 * @example Two sessions in one step
 * ```ts
 * import { presets, rwkv, sliceState, stackStates } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1);
 * const sessions = [rwkv.initialState(params), rwkv.initialState(params)];
 * const { logits, state } = rwkv.forward(params, [[3], [5]], stackStates(sessions));
 * console.log(logits.shape, sliceState(state, 1).blocks[0].timeMix.shift.shape); // [ 2, 1, 64 ] [ 1, 32 ]
 * ```
 */
export function stackStates<S>(states: readonly S[]): S {
  const action = "stack states";
  if (!Array.isArray(states) || states.length === 0) {
    throw new TypeError(`Cannot ${action}: states must be at least one, current value is ${show(states)}`);
  }
  return stack(action, "state", states, new Map()) as S;
}

/** Tensors that were joined, and what they became. */
interface Joined {
  readonly parts: readonly Tensor[];
  readonly whole: Tensor;
}

/** `joined` has what was joined already, by the first of the tensors. */
function stack(
  action: string,
  path: string,
  states: readonly unknown[],
  joined: Map<Tensor, Joined[]>,
): unknown {
  const [first, ...others] = states;
  if (isTensor(first)) {
    const [, ...rest] = first.shape;
    for (const other of states) {
      const fits = isTensor(other) && other.shape.length === first.shape.length &&
        rest.every((size, axis) => other.shape[axis + 1] === size);
      if (!fits || first.shape.length === 0) {
        const wanted = showShape(["B", ...rest]);
        const current = isTensor(other) ? `shape is ${showShape(other.shape)}` : `value is ${show(other)}`;
        throw new TypeError(`Cannot ${action}: ${path} must be ${wanted} in every state, current ${current}`);
      }
    }
    const parts = states as readonly Tensor[];
    const before = joined.get(first) ?? [];
    const same = before.find((one) => one.parts.every((part, i) => part === parts[i]));
    if (same !== undefined) return same.whole;
    const whole = parts.reduce(
      (backend, part, i) =>
        wider(backend, sharedBackend(action, `${path} of state 0, ${path} of state ${i}`, first, part)),
      first.backend,
    ).concatBatch(parts);
    joined.set(first, [...before, { parts, whole }]);
    return whole;
  }
  if (!isBranch(first)) {
    for (const other of others) {
      if (!Object.is(other, first)) {
        throw new TypeError(
          `Cannot ${action}: ${path} must be the same in every state, current values are ${show(first)} and ${
            show(other)
          }`,
        );
      }
    }
    return first;
  }
  const keys = Object.keys(first);
  for (const other of others) {
    if (!isBranch(other) || !hasKeys(other, keys)) {
      throw new TypeError(
        `Cannot ${action}: ${path} must have the same parts in every state (${
          keys.join(", ")
        }), current value is ${isBranch(other) ? Object.keys(other).join(", ") : show(other)}`,
      );
    }
  }
  const branches = states as readonly Readonly<Record<string, unknown>>[];
  const entries = keys.map((key) =>
    [key, stack(action, `${path}.${key}`, branches.map((branch) => branch[key]), joined)] as const
  );
  return Array.isArray(first) ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}

/** Whether an object has these keys and no others, in any order: a checkpoint may have sorted them. */
function hasKeys(branch: object, keys: readonly string[]): boolean {
  return Object.keys(branch).length === keys.length && keys.every((key) => Object.hasOwn(branch, key));
}

/**
 * The state of one session of a batch: every tensor's row `index` of the first axis, as a batch of 1.
 *
 * @param state a tree whose tensors have the batch as their first axis
 * @param index which session, from 0
 * @returns a tree of the same form, copied; a tensor in several places is copied once
 * @throws {RangeError} if the batch has no such session
 *
 * @example
 * ```ts
 * import { read, sliceState, tensor } from "@seqmix/seqmix";
 *
 * const state = { hidden: tensor([1, 2, 3, 4], [2, 2]) };
 * console.log(await read(sliceState(state, 1).hidden)); // Float32Array [ 3, 4 ]
 * ```
 */
export function sliceState<S>(state: S, index: number): S {
  forEachTensor(state, (t) => checkInteger("slice state", "index", index, 0, (t.shape[0] ?? 0) - 1));
  return treeMap(state, (t) => t.backend.sliceBatch(t, index, index + 1));
}

/** Each gets the sequences that it brought. */
export const concatBatchGradient: GradientRule<"concatBatch"> = ([parts], _, [gy]) => {
  let start = 0;
  return parts.map((part) => gy.backend.sliceBatch(gy, start, start += part.shape[0]));
};

/** The part gets gy, what is outside it 0. */
export const sliceBatchGradient: GradientRule<"sliceBatch"> = ([x, start], _, [gy]) => [
  x.backend.backward.sliceBatch(gy, start, x.shape[0]),
];
