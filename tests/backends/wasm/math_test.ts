import { assert } from "@std/assert";
import { builds } from "./kernel_memory.ts";

/** Each function, with the kernel that computes only that. */
const functions = {
  negativeExp: (x: number) => -Math.exp(x),
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};

/** Floats of all magnitudes and both signs, more densely in the ranges where the functions change. */
const sweeps: readonly Float32Array[] = [
  new Float32Array(Uint32Array.from({ length: 600_000 }, (_, i) => i * 7151).buffer),
  Float32Array.from({ length: 200_000 }, (_, i) => (i - 100_000) / 1e5),
  Float32Array.from({ length: 200_000 }, (_, i) => (i - 100_000) / 950),
  // Around the limits where e^x and 1 / e^x are no longer normal numbers.
  new Float32Array(Uint32Array.from({ length: 20_000 }, (_, i) => 0x42b17218 - 10_000 + i).buffer),
  new Float32Array(Uint32Array.from({ length: 20_000 }, (_, i) => 0xc2aeac50 - 10_000 + i).buffer),
];

const smallestNormal = 2 ** -126;

for (const { name: build, kernels } of builds) {
  for (const [name, wanted] of Object.entries(functions)) {
    Deno.test(`${name}() of ${build} is within 3 ulp wherever the result is a normal number`, () => {
      for (const x of sweeps) {
        const [y] = kernels.run(name as keyof typeof functions, [{ size: x.length }, x, x.length]);
        for (let i = 0; i < x.length; i++) {
          const exact = wanted(x[i]), size = Math.abs(exact);
          if (Number.isNaN(exact) || Math.fround(size) === Infinity) {
            assert(Object.is(y[i], Math.fround(exact)), `${name}(${x[i]}) is ${y[i]}, expected ${exact}`);
          } else if (size < smallestNormal) {
            assert(Math.abs(y[i]) <= smallestNormal, `${name}(${x[i]}) is ${y[i]}, expected ${exact}`);
          } else {
            const ulp = 2 ** (Math.floor(Math.log2(size)) - 23);
            assert(Math.abs(y[i] - exact) <= 3 * ulp, `${name}(${x[i]}) is ${y[i]}, expected ${exact}`);
          }
        }
      }
    });
  }
}
