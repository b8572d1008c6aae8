/**
 * Products of matrices on a GPU: a single one by the shaders of the linear map and its gradients, a batch by the same
 * tiles.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import type { Factor } from "../linear/mend.ts";
import { productOf, productOfBatch } from "../linear/product.ts";
import { linear, linearBackwardInput, linearBackwardWeight } from "../linear/shader.ts";

const a = (by: Factor["by"]): Factor => ({ name: "a", by, from: "aFrom" });
const b = (by: Factor["by"]): Factor => ({ name: "b", by, from: "bFrom" });

/** By the form. */
const batched = [
  productOf(a("rows"), b("terms")),
  productOf(a("rows"), b("rows")),
  productOf(a("terms"), b("terms")),
];

/** y `[batch, rows, columns]` = a·b (form 0), a·bᵀ (1) or aᵀ·b (2); a step of 0 is one matrix for all. */
export function matmul(
  gpu: Gpu,
  y: GpuBlock,
  left: GpuBlock,
  right: GpuBlock,
  batch: number,
  rows: number,
  inner: number,
  columns: number,
  leftStep: number,
  rightStep: number,
  form: number,
): void {
  if (batch !== 1) {
    productOfBatch(gpu, batched[form], y, [left, right], batch, rows, columns, inner, [leftStep, rightStep]);
  } else if (form === 0) linearBackwardInput(gpu, y, left, right, rows, columns, inner);
  else if (form === 1) linear(gpu, y, left, right, null, rows, inner, columns);
  else linearBackwardWeight(gpu, y, null, left, right, inner, columns, rows);
}
