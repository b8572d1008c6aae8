/**
 * Sequences joined along time: how the key-value cache grows. The backends keep room behind a cache and append in
 * place where nobody else has gone on from it, so that a step costs its own rows and not the whole past.
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
 * Joins two sequences along time: `y = past ++ x`. The past stays as it is, and can be gone on from again.
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
 * console.log(y.shape, await read(y)); // [ 1, 3, 1 ] Float32Array [ 1, 2, 3 ]
 * ```
 */
export function appendTime(past: Tensor, x: Tensor): Tensor {
  return compute(appendTimeOp, [past, x])[0];
}

/**
 * Appends in place where `past` is the newest holder of a block with room, so that a step costs its own rows and
 * not the whole past; any other holder of the block keeps seeing what it saw. Each gets the gradients of the steps that it brought.
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
    // A quarter more than needed: every row is copied about four times in all, however long the cache grows.
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

/** The same of a mask, a number a step; it has no gradient. */
export const appendMaskOp = defineOperation({
  ...appendTimeOp.declaration,
  name: "appendMask",
  inputs: ["past: B T", "x: B S"],
  outputs: ["y: B T+S"],
  gradient: "constant",
});

/** The mask of a cache of which only the last steps, those of `x`, may be hidden, with as much room as the cache has. */
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
