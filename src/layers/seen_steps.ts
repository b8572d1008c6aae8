/**
 * The steps that attention sees, and their positions, if a mask hides some.
 *
 * @module
 */
import { checkShape, isTensor } from "../check.ts";
import { compute } from "../compute.ts";
import { engineOf } from "../engine.ts";
import type { Mask } from "../mask.ts";
import { appendMaskOp, maskOfCacheOp } from "../ops/append_time/mod.ts";
import { add } from "../ops/elementwise/mod.ts";
import { linear } from "../ops/linear/mod.ts";
import type { Tensor } from "../tensor.ts";
import { shapeOf } from "../tracked_shape.ts";
import type { MultiHeadAttentionState } from "./multi_head_attention.ts";

/** The steps that are seen, of a state and of a call. They are the same for all layers of a model. */
export interface SeenSteps {
  /** `[B, T]`, the position of each step of the call: the number of steps seen before it in its sequence. */
  readonly positions: Tensor;
  /** `[B, 1]`, the position of each sequence's next step after the call. */
  readonly next: Tensor;
  /**
   * The mask of all steps, the same tensor for all layers; `key` is a layer's cache, including the steps of the call.
   */
  maskOf(key: Tensor): Tensor;
}

/**
 * The steps that are seen, of a state and of x `[B, T, C]`; null if none are hidden.
 *
 * @param mask of the steps of x; or a tensor `[B, T]`, whose numbers are not read
 */
export function seenSteps(
  x: Tensor,
  state: MultiHeadAttentionState,
  mask: Mask | Tensor | null,
): SeenSteps | null {
  const { mask: past, position } = state;
  if (mask === null && past === undefined) return null;
  const [batch, time] = x.shape, backend = engineOf(x.backend);
  if (past !== undefined) {
    const action = "attend with heads";
    checkShape(action, "state.mask", past, batch, shapeOf(state.key)[1]);
    checkShape(action, "state.position", position!, batch, 1);
  }
  const start = position === undefined ? shapeOf(state.key)[1] : 0;
  const upload = (numbers: ArrayLike<number>, ...shape: number[]) => backend.upload(numbers, shape);
  let whole: Tensor | undefined;
  const maskAfter = (own: Tensor) => (key: Tensor) =>
    whole ??= past === undefined
      ? compute(maskOfCacheOp, [key, own])[0]
      : compute(appendMaskOp, [past, own])[0];
  if (isTensor(mask)) {
    const origin = position ?? upload([start], 1, 1);
    // The steps that are seen before each step are counted by a product with a triangular matrix.
    const count = (weights: Float32Array, steps: number) =>
      add(origin, linear(mask, upload(weights, steps, time)));
    let positions: Tensor | undefined;
    return {
      get positions() {
        const before = (_: unknown, i: number) => Number(i % time < Math.floor(i / time));
        return positions ??= count(Float32Array.from({ length: time * time }, before), time);
      },
      next: count(new Float32Array(time).fill(1), 1),
      maskOf: maskAfter(mask),
    };
  }
  const seen = new Float32Array(batch * time), positions = new Float32Array(batch * time);
  const next = new Float32Array(batch).fill(start);
  for (let b = 0; b < batch; b++) {
    const wanted = mask === null ? null : new Set(mask.rows[b]);
    for (let t = 0; t < time; t++) {
      positions[b * time + t] = next[b];
      if (wanted !== null && !wanted.has(t)) continue;
      seen[b * time + t] = 1;
      next[b]++;
    }
  }
  const own = upload(seen, batch, time);
  return {
    positions: position === undefined ? upload(positions, batch, time) : time === 1 ? position : add(
      linear(position, upload(new Float32Array(time).fill(1), time, 1)),
      upload(positions, batch, time),
    ),
    next: position === undefined ? upload(next, batch, 1) : add(position, upload(next, batch, 1)),
    maskOf: maskAfter(own),
  };
}
