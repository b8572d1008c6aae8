import { assertEquals } from "@std/assert";
import {
  compile,
  createReference,
  meanSquaredError,
  read,
  type Tensor,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import {
  meanSquaredError as kernel,
  meanSquaredErrorBackward,
} from "../../src/ops/mean_squared_error/reference.ts";
import { randomSource } from "../../src/random.ts";
import { assertNear, assertSame, normal, runKernel, testFailures, testOnAll, wrong } from "../helpers.ts";
import { meanSquaredErrorCases } from "./cases/mean_squared_error.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("meanSquaredError()", meanSquaredErrorCases);

testOnAll(
  "meanSquaredError() with lists of weights masks rows, and leaves nothing allocated",
  async (backend) => {
    const prediction = tensor([1, 2, NaN, 4], [1, 2, 2], backend),
      target = tensor([0, 0, 0, 0], [1, 2, 2], backend);
    const { bytes } = backend.memory();
    const { value, grads } = valueAndGrad((t) => meanSquaredError(t, target, [[3, 0]]), prediction);
    assertSame(await read(value), [2.5]);
    assertSame(await read(grads), [1, 2, 0, 0]);
    backend.free([value, grads]);
    const alone = meanSquaredError(prediction, target, [[3, 0]]);
    assertSame(await read(alone), [2.5]);
    backend.free(alone);
    assertEquals(backend.memory().bytes, bytes);
  },
);

testOnAll("meanSquaredError() can be compiled, with weights that change", async (backend) => {
  const prediction = tensor([1, 2, 3, 4], [1, 2, 2], backend),
    target = tensor([0, 0, 0, 0], [1, 2, 2], backend);
  using loss = compile((a: Tensor, b: Tensor, weights: number[][]) => meanSquaredError(a, b, weights));
  for (const [weights, expected] of [[[1, 0], 2.5], [[0, 1], 12.5], [[1, 1], 7.5], [[3, 1], 5]] as const) {
    assertNear(await read(loss(prediction, target, [[...weights]])), [expected], 1e-6);
  }
});

Deno.test("the kernels of meanSquaredError write their outputs and nothing else", () => {
  const random = randomSource(2);
  const [a, b, gy] = [[3, 5], [3, 5], []].map((shape) => normal(random, shape).data);
  const weights = Float32Array.of(1, 0, 2);
  for (const w of [null, weights]) {
    runKernel(kernel, [1], [a, b, w], [3, 5]);
    runKernel(meanSquaredErrorBackward, [15, 15], [gy, a, b, w], [3, 5]);
  }
});

const x = tensor([1, 2, 3, 4], [1, 2, 2]);
const elsewhere = createReference();

testFailures("meanSquaredError()", [
  [
    "a single number",
    () => meanSquaredError(tensor([1], []), tensor([1], [])),
    TypeError,
    "Cannot compute mean squared error: prediction must be [..., C], current shape is []",
  ],
  [
    "target",
    () => meanSquaredError(x, tensor([1, 2, 3, 4], [2, 2])),
    TypeError,
    "Cannot compute mean squared error: target must be [1, 2, 2], current shape is [2, 2]",
  ],
  [
    "weights",
    () => meanSquaredError(x, x, x),
    TypeError,
    "Cannot compute mean squared error: weights must be [1, 2], current shape is [1, 2, 2]",
  ],
  [
    "lists of weights",
    () => meanSquaredError(x, x, [[1, 2, 3]]),
    TypeError,
    "Cannot compute mean squared error: weights must be [1, 2], current shape is [1, 3]",
  ],
  [
    "a number for weights",
    () => meanSquaredError(x, x, wrong(1)),
    TypeError,
    "Cannot compute mean squared error: weights must be a tensor [B, T] or a list of B lists of T numbers, current value " +
    "is 1",
  ],
  [
    "a negative weight",
    () => meanSquaredError(x, x, [[1, -1]]),
    RangeError,
    "Cannot compute mean squared error: weights must be finite and at least 0, current weight is -1",
  ],
  [
    "backends",
    () => meanSquaredError(x, tensor([1, 2, 3, 4], [1, 2, 2], elsewhere)),
    TypeError,
    "Cannot compute mean squared error: all tensors must live on one backend (move them with put), current prediction " +
    "lives on reference and target on another reference",
  ],
]);
