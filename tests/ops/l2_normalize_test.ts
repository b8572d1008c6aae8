import { assertEquals } from "@std/assert";
import { l2Normalize, read, readFloat64, tensor } from "@seqmix/seqmix";
import { vjp } from "../../src/autodiff/mod.ts";
import { l2Normalize as kernel, l2NormalizeBackward } from "../../src/ops/l2_normalize/reference.ts";
import { randomSource } from "../../src/random.ts";
import { assertNear, normal, randomTensor, runKernel, testFailures, testOnAll, wrong } from "../helpers.ts";
import { l2NormalizeCases, shortCases } from "./cases/l2_normalize.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("l2Normalize()", [...l2NormalizeCases, ...shortCases]);

testOnAll("the gradient of l2Normalize() is inverse to the length, down to ε", async (backend) => {
  const x = await readFloat64(randomTensor(1, [3, 7])), gy = randomTensor(2, [3, 7], backend);
  const gradientAt = async (scale: number) => {
    const { grads } = vjp(
      (x) => [l2Normalize(x)],
      tensor(x.map((value) => value * scale), [3, 7], backend),
      [gy],
    );
    return await readFloat64(grads);
  };
  const expected = await gradientAt(1);
  for (const scale of [1e-11, 1e-6, 1e10]) {
    assertNear((await gradientAt(scale)).map((value) => value * scale), expected, 1e-5, `${scale}`);
  }
  for (const scale of [0, 1e-14]) {
    assertNear((await gradientAt(scale)).map((value) => value * 1e-12), await readFloat64(gy), 1e-6);
  }
});

testOnAll("l2Normalize() keeps the sign of 0", async (backend) => {
  const y = l2Normalize(tensor([-0, 0, -0, -0, 0, 0, -0, -3, 4, -0], [2, 5], backend));
  assertEquals([...await read(y)].map((value) => Object.is(value, -0)), [
    ...[true, false, true, true, false],
    ...[false, true, false, false, true],
  ]);
});

Deno.test("the kernels of l2Normalize write their outputs and nothing else", () => {
  const [x, gy] = [1, 2].map((seed) => normal(randomSource(seed), [3, 5]).data);
  const [y] = runKernel(kernel, [15], [x], [3, 5, 1e-12]);
  for (let r = 0; r < 3; r++) assertNear([Math.hypot(...y.slice(5 * r, 5 * r + 5))], [1], 1e-6);
  runKernel(l2NormalizeBackward, [15], [gy, x], [3, 5, 1e-12]);
});

testFailures("l2Normalize()", [
  [
    "a single number",
    () => l2Normalize(tensor([1], [])),
    TypeError,
    "Cannot normalize vectors: x must be [..., C], current shape is []",
  ],
  [
    "a list",
    () => l2Normalize(wrong([1, 2])),
    TypeError,
    "Cannot normalize vectors: x must be a tensor [..., C], current value is an array of length 2",
  ],
]);
