/**
 * The speed of the three products of a linear map, `y = x·Wᵀ`, `gx = gy·W` and `gW = gyᵀ·x`, for
 * `deno bench -A bench/kernels/linear_bench.ts`: a long prompt or a training step in the sizes of the `article`
 * preset, training steps (32 sequences of 128 tokens) in those of `matched`. The name of a group states its number
 * of operations, counting multiplications and additions: 0.27 GFLOP in 8.9 ms are 30 GFLOP/s.
 *
 * @module
 */
import {
  type Backend,
  createReference,
  createWasm,
  linear,
  matmul,
  read,
  type Tensor,
  tensor,
} from "@seqmix/seqmix";
import { run } from "../../src/compute.ts";
import { linearBackwardInputOp, linearBackwardWeightOp } from "../../src/ops/linear/mod.ts";
import { randomSource } from "../../src/random.ts";
import { checkLogits } from "../measure/subjects.ts";

const shapes = [[256, 256, 256], [2048, 128, 512], [4096, 32, 32], [4096, 32, 100], [4096, 38, 152]];
const backends: readonly (readonly [name: string, backend: Backend])[] = [
  ["wasm, relaxed SIMD", await createWasm()],
  ["wasm, baseline SIMD", await createWasm({ simd: "baseline" })],
];
const reference = createReference();
const products: Record<string, (x: Tensor, weight: Tensor, gy: Tensor) => Tensor> = {
  "y = x·Wᵀ": (x, weight) => linear(x, weight),
  "gx = gy·W": (_, weight, gy) => run(linearBackwardInputOp, [gy, weight])[0],
  "gy·W by matmul": (_, weight, gy) => matmul(gy, weight),
  "gW = gyᵀ·x": (x, _, gy) => run(linearBackwardWeightOp, [gy, x])[0],
};

const random = randomSource(1);
for (const [rows, inputs, outputs] of shapes) {
  const drawn = [[rows, inputs], [outputs, inputs], [rows, outputs]].map((shape) => {
    const data = Float32Array.from({ length: shape[0] * shape[1] }, random.normal);
    return (backend: Backend) => tensor(data, shape, backend);
  });
  for (const [name, run] of Object.entries(products)) {
    const [x, weight, gy] = drawn.map((on) => on(reference));
    const expected = await read(run(x, weight, gy));
    const flops = (2 * rows * inputs * outputs / 1e9).toPrecision(2);
    for (const [on, backend] of backends) {
      const [x, weight, gy] = drawn.map((on) => on(backend));
      const found = run(x, weight, gy);
      checkLogits(`${name} on ${on}`, await read(found), expected);
      backend.free(found);
      Deno.bench({
        group: `${rows}×${inputs}→${outputs}, ${name}, ${flops} GFLOP`,
        name: on,
        baseline: backend === backends[0][1],
        fn: () => backend.free(run(x, weight, gy)),
      });
    }
  }
}
