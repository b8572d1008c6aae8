/** The kernels of the operations that models are built of: arithmetic, exponentials, copies with strides, sums, products. */
import * as arithmetic from "../../../src/ops/arithmetic/reference.ts";
import { copyStrided } from "../../../src/ops/axes/reference.ts";
import * as exponential from "../../../src/ops/exponential/reference.ts";
import { matmul } from "../../../src/ops/matmul/reference.ts";
import { sum } from "../../../src/ops/reduce/reference.ts";
import { builds, comparing, draws, out } from "./kernel_memory.ts";

const { normals, uniforms } = draws(5);

/** Sizes at which vectors, blocks and their remainders start and end. */
const sizes = [1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 64, 65, 127];

for (const { name: build, kernels } of builds) {
  const compare = comparing(kernels);

  Deno.test(`arithmetic kernels of ${build} agree with the reference`, () => {
    for (const size of sizes) {
      const [gy, a] = [normals(size), normals(size)], b = normals(size).map((x) => x + Math.sign(x));
      compare("subtract", arithmetic.subtract, [out(size), a, b, size], 1e-6);
      compare("divide", arithmetic.divide, [out(size), a, b, size], 1e-6);
      compare("divideBackward", arithmetic.divideBackward, [out(size), out(size), gy, a, b, size], 1e-6);
      compare("scale", arithmetic.scale, [out(size), a, size, -1.5], 1e-6);
      compare("scaleBy", arithmetic.scaleBy, [out(size), a, Float32Array.of(3.25), size], 1e-6);
    }
  });

  Deno.test(`exponential kernels of ${build} agree with the reference`, () => {
    for (const size of sizes) {
      const [gy, x] = [normals(size), normals(size, 3)], positive = uniforms(size).map((x) => x + 1e-3);
      for (const name of ["exp", "softplus"] as const) {
        compare(name, exponential[name], [out(size), x, size], 1e-6);
        compare(`${name}Backward`, exponential[`${name}Backward`], [out(size), gy, x, size], 1e-6);
      }
      compare("log", exponential.log, [out(size), positive, size], 1e-6);
    }
  });

  Deno.test(`log() and softplus() of ${build} are right to four units in the last place`, () => {
    for (let i = 0; i < 4000; i++) {
      // One by one, so that no error is hidden by a larger neighbour.
      const x = 2 ** (i / 16 - 125);
      compare("log", exponential.log, [out(1), Float32Array.of(x), 1], 5e-7);
      compare("log", exponential.log, [out(1), Float32Array.of(1 + (i - 2000) / 2 ** 20), 1], 5e-7);
      compare("softplus", exponential.softplus, [out(1), Float32Array.of((i - 2000) / 23), 1], 5e-7);
    }
    // Below the normal range.
    for (const x of [1e-45, 1e-42, 1.17e-38]) {
      compare("log", exponential.log, [out(1), Float32Array.of(x), 1], 5e-7);
    }
  });

  Deno.test(`copyStrided() of ${build} copies, repeats, reverses and transposes`, () => {
    for (const rows of [1, 2, 3, 4, 7, 64, 67]) {
      for (const columns of [1, 2, 3, 4, 5, 8, 33]) {
        const size = rows * columns, x = normals(2 * size);
        const copy = (at: number, strides: readonly number[], before: readonly number[] = [1, 1, 1, 1]) => {
          const count = before.reduce((product, n) => product * n, size);
          compare(
            "copyStrided",
            copyStrided,
            [out(count), 0, x, at, ...before, rows, columns, ...strides],
            0,
          );
        };
        copy(0, [0, 0, 0, 0, columns, 1]);
        copy(0, [0, 0, 0, 0, 1, rows]);
        copy(size - 1, [0, 0, 0, 0, -columns, -1]);
        copy(1, [0, 0, 0, 0, 0, 1]);
        copy(0, [0, 0, 0, 0, 1, 0]);
        copy(size, [0, size, 0, -size, 1, rows], [1, 1, 3, 2]);
        copy(0, [size, 0, 0, 0, 1, rows], [2, 2, 1, 1]);
      }
    }
  });

  Deno.test(`sum() of ${build} sums any axis`, () => {
    for (const outer of [1, 3]) {
      for (const size of [0, ...sizes]) {
        for (const inner of [1, 2, 3, 4, 5, 8, 9, 13]) {
          const x = normals(outer * size * inner);
          compare("sum", sum, [out(outer * inner), x, outer, size, inner, 1], 1e-6);
          compare("sum", sum, [out(outer * inner), x, outer, size, inner, 7], 1e-6);
        }
      }
    }
  });

  Deno.test(`matmul() of ${build} multiplies batches in all forms`, () => {
    for (const rows of [1, 2, 5, 17]) {
      for (const inner of [0, 1, 4, 9, 259]) {
        for (const columns of [1, 3, 8, 13]) {
          for (const form of [0, 1, 2]) {
            const [left, right, size] = [rows * inner, inner * columns, rows * columns];
            const [a, b] = [normals(3 * left), normals(3 * right)];
            for (const steps of [[left, right], [0, right], [left, 0]]) {
              compare("matmul", matmul, [out(3 * size), a, b, 3, rows, inner, columns, ...steps, form]);
            }
          }
        }
      }
    }
  });

  Deno.test(`matmul() of a row of ${build} confines NaN to its column, and mends sums beyond its range`, () => {
    const a = Float32Array.of(3e38, 3e38, -3e38, 1, 1), b = new Float32Array(35).fill(1);
    b[4 * 7 + 2] = NaN;
    compare("matmul", matmul, [out(7), a, b, 1, 1, 5, 7, 0, 0, 0]);
  });
}
