/**
 * Concatenation along time, by which the key-value cache grows. Caches have spare capacity, so that a step usually
 * copies only its own rows and not the whole past.
 *
 * @module
 */
import { hostArray } from "../../allocate.ts";
import { compute, run } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import { shapeOf } from "../../tracked_shape.ts";
import type { Tensor } from "../../tensor.ts";
import { sumOf } from "../../tree.ts";

/**
 * Concatenates two sequences along time: `y = past ++ x`. `past` is not changed, and can be extended more than once.
 *
 * @param past `[B, T, C]`, T may be 0
 * @param x `[B, S, C]`
 * @returns y `[B, T + S, C]`
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { appendTime, read, tensor } from "@seqmix/seqmix";
 *
 * const y = appendTime(tensor([1, 2], [1, 2, 1]), tensor([3], [1, 1, 1]));
 * console.log(y.shape, await read(y)); // [ 1, 3, 1 ] Float32Array(3) [ 1, 2, 3 ]
 * ```
 */
export function appendTime(past: Tensor, x: Tensor): Tensor {
  return compute(appendTimeOp, [past, x])[0];
}

/**
 * Appends in place if `past` is the newest tensor that shares its memory and the capacity suffices; otherwise copies
 * it to a larger cache. Other tensors that share the memory keep their values, since rows are only added after theirs.
 * Each input gets the gradients of its own steps.
 */
export const appendTimeOp = defineOperation({
  name: "appendTime",
  action: "append time",
  inputs: ["past: B T C", "x: B S C"],
  outputs: ["y: B T+S C"],
  compute({ store, copySteps }, [past, x]) {
    const source = store.alive(past), added = store.alive(x);
    const shape = shapeOf(past), before = shape[1], time = shapeOf(x)[1];
    const after = sumOf(before, time);
    // A quarter more than needed: each row is copied about four times in all, whatever the length of the cache.
    const y = store.extend(source, time) ??
      store.makeCache([shape[0], after, ...shape.slice(2)], after + Math.max(16, Math.floor(after / 4)));
    if (y.memory !== source.memory) copySteps(y, 0, source);
    copySteps(y, before, added);
    return [y];
  },
  gradient: ({ inputs: [past], grads: [gy] }) => {
    const before = past.shape[1], after = gy.shape[1];
    return [run(sliceTimeOp, [gy], [0, before])[0], run(sliceTimeOp, [gy], [before, after])[0]];
  },
});

/** The same for a mask, with one number for each step; it has no gradient. */
export const appendMaskOp = defineOperation({
  ...appendTimeOp.declaration,
  name: "appendMask",
  inputs: ["past: B T", "x: B S"],
  outputs: ["y: B T+S"],
  gradient: "constant",
});

/** Creates the mask of a cache, with the same capacity: `x` for the last steps, and 1 for all steps before. */
export const maskOfCacheOp = defineOperation({
  name: "maskOfCache",
  action: "append time",
  inputs: ["cache: B T C", "x: B S"],
  outputs: ["y: B T"],
  compute({ store, copySteps, upload }, [cache, x]) {
    const source = store.alive(cache), [batch, after] = shapeOf(cache), before = after - shapeOf(x)[1];
    const y = store.makeCache([batch, after], source.capacity);
    if (before > 0) {
      const ones = store.make([batch, before]);
      upload(ones.memory, hostArray("append time", Float32Array, batch * before, store.use().bytes).fill(1));
      copySteps(y, 0, ones);
    }
    copySteps(y, before, store.alive(x));
    return [y];
  },
  gradient: "constant",
});

/** The steps `start .. end`. */
export const sliceTimeOp = defineOperation({
  name: "sliceTime",
  action: "slice time",
  inputs: ["x: B T C"],
  outputs: ["y: B S C"],
  constants: ["start", "end"],
  compute({ store, memory, call }, [x], [start, end]) {
    const [batch, time, channels] = x.shape, width = (end - start) * channels;
    const y = store.make([batch, end - start, channels]);
    call("copyRows", y.memory, 0, width, memory(x), start * channels, time * channels, batch, width);
    return [y];
  },
  gradient: "none",
});
