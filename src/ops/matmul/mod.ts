/**
 * Products of matrices.
 *
 * @module
 */
import { isTensor, shapeError, sharedBackend, showShape } from "../../check.ts";
import { run } from "../../compute.ts";
import { engineOf } from "../../engine.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";
import { product } from "../axes/check.ts";
import { broadcastShape, expanded } from "../broadcast.ts";
import { sumOp } from "../reduce/mod.ts";

/**
 * The product of matrices, `y = a·b`, as NumPy's `matmul`: `y[..., m, n] = Σ_k a[..., m, k]·b[..., k, n]`. For weights
 * that are `[out, in]`, use {@linkcode linear}.
 *
 * @param a `[..., M, K]`
 * @param b `[..., K, N]`; the leading axes are broadcast with those of a
 * @returns y `[..., M, N]`
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { matmul, read, tensor } from "@seqmix/seqmix";
 *
 * const a = tensor([1, 2, 3, 4], [2, 2]), b = tensor([5, 6], [2, 1]);
 * console.log(await read(matmul(a, b))); // Float32Array [ 17, 39 ]
 * ```
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  const { action } = matmulOp;
  if (!isTensor(a) || a.shape.length < 2) throw shapeError(action, "a", a, ["...", "M", "K"]);
  const inner = a.shape[a.shape.length - 1];
  if (!isTensor(b) || b.shape.length < 2 || b.shape[b.shape.length - 2] !== inner) {
    throw shapeError(action, "b", b, ["...", inner, "N"]);
  }
  const backend = sharedBackend(action, "a, b", a, b);
  const [before, after] = [a, b].map(({ shape }) => shape.slice(0, -2));
  const batch = broadcastShape(before, after);
  if (batch === null) {
    throw new TypeError(
      `Cannot ${action}: the sizes of a and b before the matrices must be equal or 1, from the last on, current ` +
        `shapes are ${showShape(a.shape)} and ${showShape(b.shape)}`,
    );
  }
  const multiply = (a: Tensor, b: Tensor) => engineOf(backend).run(matmulOp, [a, b], sizesOf(a, b, batch))[0];
  if (isOneOrAll(a, batch) && isOneOrAll(b, batch)) return multiply(a, b);
  const all = (x: Tensor) => isOneOrAll(x, batch) ? x : expanded(x, [...batch, ...x.shape.slice(-2)]);
  return backend.scope(() => multiply(all(a), all(b)));
}

/** The number of matrices of a tensor. */
function countOf({ shape }: Tensor): number {
  return product(shape.slice(0, -2));
}

/** Whether a tensor has one matrix for the whole batch, or one for each element of the batch. */
function isOneOrAll(x: Tensor, batch: readonly number[]): boolean {
  const count = countOf(x);
  return count === 1 || count === product(batch);
}

/** The kernel's forms of a product: a·b, a·bᵀ, aᵀ·b. */
const plain = 0, ofTransposed = 1, transposed = 2;

/** The constants of a·b. With a single b, the rows of all matrices of a are rows of one. */
function sizesOf(a: Tensor, b: Tensor, batch: readonly number[]): number[] {
  const [rows, inner] = a.shape.slice(-2), columns = b.shape[b.shape.length - 1];
  const shape = [...batch, rows, columns], count = countOf(a);
  if (countOf(b) === 1) return [plain, 1, count * rows, inner, columns, 0, 0, ...shape];
  const aStep = count === 1 ? 0 : rows * inner;
  return [plain, product(batch), rows, inner, columns, aStep, inner * columns, ...shape];
}

/** The constants are the kernel's form and sizes, and the result's shape. */
const matmulGradientOp = defineOperation({
  name: "matmulGradient",
  action: "differentiate matmul",
  inputs: ["a: ...", "b: ..."],
  outputs: ["y: ..."],
  compute({ store, memory, call }, [a, b], [form, batch, rows, inner, columns, aStep, bStep, ...shape]) {
    const y = store.make(shape);
    call("matmul", y.memory, memory(a), memory(b), batch, rows, inner, columns, aStep, bStep, form);
    return [y];
  },
  gradient: "none",
});

/** ga = gy·bᵀ, gb = aᵀ·gy; the gradient of a matrix that is used for a whole batch is a sum. */
export const matmulOp = defineOperation({
  ...matmulGradientOp.declaration,
  name: "matmul",
  action: "multiply matrices",
  gradient: ({ inputs: [a, b], grads: [gy], wanted }) => [
    wanted[0] ? gradientOfLeft(a, b, gy) : null,
    wanted[1] ? gradientOfRight(a, b, gy) : null,
  ],
});

function gradientOfLeft(a: Tensor, b: Tensor, gy: Tensor): Tensor {
  const batch = countOf(gy), [rows, columns] = gy.shape.slice(-2), inner = a.shape[a.shape.length - 1];
  const multiply = (...sizes: number[]) => run(matmulGradientOp, [gy, b], [ofTransposed, ...sizes])[0];
  if (countOf(b) === 1) return multiply(1, batch * rows, columns, inner, 0, 0, ...a.shape);
  const sizes = [batch, rows, columns, inner, rows * columns, inner * columns];
  if (countOf(a) === batch) return multiply(...sizes, ...a.shape);
  return run(sumOp, [multiply(...sizes, batch, rows, inner)], [1, batch, rows * inner, 1, ...a.shape])[0];
}

function gradientOfRight(a: Tensor, b: Tensor, gy: Tensor): Tensor {
  const batch = countOf(gy), [rows, columns] = gy.shape.slice(-2), inner = a.shape[a.shape.length - 1];
  const multiply = (...sizes: number[]) =>
    run(matmulGradientOp, [a, gy], [transposed, ...sizes, ...b.shape])[0];
  if (countOf(b) === 1) return multiply(1, inner, batch * rows, columns, 0, 0);
  return multiply(batch, inner, rows, columns, countOf(a) === 1 ? 0 : rows * inner, rows * columns);
}
