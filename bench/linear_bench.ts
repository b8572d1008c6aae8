/**
 * How fast matrices are multiplied, for `deno bench -A`: 2048 rows by a weight of 512 by 128, the up-projection of a long
 * prompt in the sizes of the `seed` preset. It is 0.27 GFLOP (a multiplication and an addition each), so 8.9 ms are
 * 30 GFLOP/s.
 *
 * @module
 */
import { type Backend, createReference, createWasm, linear, read, tensor } from "../mod.ts";
import { randomSource } from "../src/random.ts";
import { checkLogits, settle } from "./subjects.ts";

const rows = 2048, outputs = 512, inputs = 128;
const backends: readonly (readonly [name: string, backend: Backend])[] = [
  ["wasm, relaxed SIMD", await createWasm()],
  ["wasm, baseline SIMD", await createWasm({ simd: "baseline" })],
  ["reference", createReference()],
];

const random = randomSource(1);
const draw = (size: number) => Float32Array.from({ length: size }, random.normal);
const x = draw(rows * inputs), weight = draw(outputs * inputs);
let expected: Float32Array | undefined;
for (const [name, backend] of backends.toReversed()) {
  const tensors = [tensor(x, [rows, inputs], backend), tensor(weight, [outputs, inputs], backend)] as const;
  const y = linear(...tensors);
  const values = await read(y);
  backend.free(y);
  checkLogits(`products on ${name}`, values, expected ??= values);
  Deno.bench({
    group: `${rows}×${outputs}×${inputs}, 0.27 GFLOP`,
    name,
    baseline: name === backends[0][0],
    // Long enough for a few runs to tell.
    ...name === "reference" ? { n: 10, warmup: 2 } : {},
    fn: () => settle(linear(...tensors)),
  });
}
