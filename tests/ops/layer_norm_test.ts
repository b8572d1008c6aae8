import { createReference, layerNorm, readFloat64, tensor } from "@seqmix/seqmix";
import { layerNorm as kernel } from "../../src/ops/layer_norm/reference.ts";
import { randomSource } from "../../src/random.ts";
import { assertNear, normal, randomTensor, runKernel, testFailures, wrong } from "../helpers.ts";
import { layerNormCases } from "./cases/layer_norm.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("layerNorm()", layerNormCases);

const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

Deno.test("layerNorm() gives mean 0 and variance v / (v + 1e-5), over C and not C - 1", async () => {
  using backend = createReference({ precision: "float64" });
  const x = randomTensor(1, [13], backend);
  const params = {
    weight: tensor(new Float64Array(13).fill(1), [13], backend),
    bias: tensor(new Float64Array(13), [13], backend),
  };
  const before = await readFloat64(x), y = await readFloat64(layerNorm(x, params));
  const variance = mean(before.map((value) => (value - mean(before)) ** 2));
  assertNear([1 + mean(y)], [1], 1e-12);
  assertNear([mean(y.map((value) => value ** 2))], [variance / (variance + 1e-5)], 1e-12);
});

Deno.test("layerNorm() multiplies by the weight, then adds the bias", async () => {
  using backend = createReference({ precision: "float64" });
  const params = { weight: tensor([2, 3], [2], backend), bias: tensor([10, 20], [2], backend) };
  const y = await readFloat64(layerNorm(tensor([-1, 1, 5, 5], [2, 2], backend), params));
  const one = 1 / Math.sqrt(1 + 1e-5);
  assertNear(y, [10 - 2 * one, 20 + 3 * one, 10, 20], 1e-12);
});

Deno.test("the layerNorm kernel writes its output and nothing else", () => {
  const random = randomSource(2);
  const [x, weight, bias] = [[3, 5], [5], [5]].map((shape) => normal(random, shape).data);
  const [y] = runKernel(kernel, [15], [x, weight, bias], [3, 5, 1e-5]);
  const [last] = runKernel(kernel, [5], [x.slice(10), weight, bias], [1, 5, 1e-5]);
  assertNear(y.slice(10), last, 0);
});

const three = tensor([1, 2, 3], [3]), two = tensor([1, 2], [2]);
const elsewhere = createReference();

testFailures("layerNorm()", [
  [
    "params first",
    () => layerNorm(wrong({ weight: three, bias: three }), wrong(three)),
    TypeError,
    "Cannot normalize layer: arguments must be (x, params), current order is (params, x)",
  ],
  [
    "weight",
    () => layerNorm(three, { weight: tensor([1], []), bias: three }),
    TypeError,
    "Cannot normalize layer: weight must be [C], current shape is []",
  ],
  [
    "weight missing",
    () => layerNorm(three, wrong({ bias: three })),
    TypeError,
    "Cannot normalize layer: weight must be a tensor [C], current value is undefined",
  ],
  [
    "bias",
    () => layerNorm(three, { weight: three, bias: two }),
    TypeError,
    "Cannot normalize layer: bias must be [3], current shape is [2]",
  ],
  [
    "x",
    () => layerNorm(two, { weight: three, bias: three }),
    TypeError,
    "Cannot normalize layer: x must be [..., 3], current shape is [2]",
  ],
  [
    "backends",
    () => layerNorm(three, { weight: three, bias: tensor([1, 2, 3], [3], elsewhere) }),
    TypeError,
    "Cannot normalize layer: all tensors must live on one backend (move them with put), current x lives on " +
    "reference and bias on another reference",
  ],
]);
