/**
 * Stacks the states of sessions into a batch, so that they can be computed together, and extracts them again.
 *
 * @module
 */
import { hostArray } from "../../allocate.ts";
import type { Workspace } from "../../backends/kernels.ts";
import type { DeviceTensor } from "../../backends/tensor_store.ts";
import { checkInteger, isBranch, isTensor, sharedBackend, show, showShape, wider } from "../../check.ts";
import { run } from "../../compute.ts";
import { engineOf } from "../../engine.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";
import { refusePromise } from "../../mistaken.ts";
import { forEachTensor, sizeOf, sumOf, treeMap } from "../../tree.ts";

/**
 * Joins the states of several sessions into the state of one batch: concatenates each tensor along its first axis.
 *
 * @param states trees of one form; the shapes of each tensor are equal except for the first axis (so key-value caches
 *   must have the same length)
 * @returns a tree of the same form, whose tensors contain the sessions in order; if all states have one tensor in two
 *   places, so does the result
 * @throws {TypeError} if there is no state, or if the trees, shapes or backends differ
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
  states.forEach((state, i) => refusePromise(action, `states[${i}]`, state));
  return stack(action, "state", states, new Map()) as S;
}

/** Tensors that were joined, and the result. */
interface Joined {
  readonly parts: readonly Tensor[];
  readonly whole: Tensor;
}

/** `joined` maps tensors of the first state to the results of joining them with others. */
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
    const backend = parts.reduce(
      (backend, part, i) =>
        wider(backend, sharedBackend(action, `${path} of state 0, ${path} of state ${i}`, first, part)),
      first.backend,
    );
    const [whole] = engineOf(backend).run(concatBatchOp, parts, []);
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
 * The state of one session of a batch: row `index` of each tensor's first axis, as a batch of 1.
 *
 * @param state a tree whose tensors have the batch as their first axis
 * @param index the index of the session, from 0
 * @returns a tree of the same form, copied; a tensor in several places is copied once
 * @throws {RangeError} if the batch has no such session
 *
 * @example
 * ```ts
 * import { read, sliceState, tensor } from "@seqmix/seqmix";
 *
 * const state = { hidden: tensor([1, 2, 3, 4], [2, 2]) };
 * console.log(await read(sliceState(state, 1).hidden)); // Float32Array(2) [ 3, 4 ]
 * ```
 */
export function sliceState<S>(state: S, index: number): S {
  refusePromise("slice state", "state", state);
  forEachTensor(state, (t) => checkInteger("slice state", "index", index, 0, (t.shape[0] ?? 0) - 1));
  return treeMap(state, (t) => run(sliceBatchOp, [t], [index, index + 1])[0]);
}

/** Concatenates along the first axis; each part gets the gradients of its own sequences. */
export const concatBatchOp = defineOperation({
  name: "concatBatch",
  action: "stack states",
  inputs: ["...parts: B ..."],
  outputs: ["y: B ..."],
  compute(device, parts) {
    const [, ...rest] = parts[0].shape;
    const y = device.store.make([parts.reduce((sum, part) => sumOf(sum, part.shape[0]), 0), ...rest]);
    let start = 0;
    for (const part of parts) {
      copySequences(device, y, start, part, 0, part.shape[0]);
      start += part.shape[0];
    }
    return [y];
  },
  gradient: ({ inputs: parts, grads: [gy] }) => {
    let start = 0;
    return parts.map((part) => run(sliceBatchOp, [gy], [start, start += part.shape[0]])[0]);
  },
});

/** The sequences from `start` to before `end`; their gradients are those of y, those of the others are 0. */
export const sliceBatchOp = defineOperation({
  name: "sliceBatch",
  action: "slice state",
  inputs: ["x: B ..."],
  outputs: ["y: B' ..."],
  constants: ["start", "end"],
  compute(device, [x], [start, end]) {
    const [, ...rest] = x.shape;
    const y = device.store.make([end - start, ...rest]);
    copySequences(device, y, 0, x, start, end);
    return [y];
  },
  gradient: ({ inputs: [x], constants: [start], grads: [gy] }) => run(padBatchOp, [gy], [start, x.shape[0]]),
});

/** A batch of `total` sequences: x from index `start` on, and 0 elsewhere. */
export const padBatchOp = defineOperation({
  name: "padBatch",
  action: "pad batch",
  inputs: ["x: B ..."],
  outputs: ["y: B' ..."],
  constants: ["start", "total"],
  compute(device, [x], [start, total]) {
    const [, ...rest] = x.shape, shape = [total, ...rest];
    const zeros = hostArray("allocate tensor", Float32Array, sizeOf(shape), device.store.use().bytes);
    const y = device.store.make(shape);
    device.upload(y.memory, zeros);
    copySequences(device, y, start, x, 0, x.shape[0]);
    return [y];
  },
  gradient: "none",
});

/**
 * Copies the sequences from `start` to before `end` of `x`, which may be a cache with spare capacity, to `y` from its
 * sequence `to` on.
 */
function copySequences<M>(
  { store, call }: Workspace<M>,
  y: DeviceTensor<M>,
  to: number,
  x: Tensor,
  start: number,
  end: number,
): void {
  const [, ...rest] = x.shape, source = store.alive(x);
  const width = sizeOf(rest), stride = source.packed ? width : source.capacity * (x.shape[2] ?? 1);
  call("copyRows", y.memory, to * width, width, source.memory, start * stride, stride, end - start, width);
}
