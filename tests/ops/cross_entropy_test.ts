import { assertEquals } from "@std/assert";
import { createReference, crossEntropy, read, readFloat64, softmax, tensor } from "@seqmix/seqmix";
import { crossEntropy as kernel } from "../../src/ops/cross_entropy/reference.ts";
import {
  assertNear,
  assertSame,
  list,
  randomTensor,
  runKernel,
  testFailures,
  testOnAll,
  wrong,
} from "../helpers.ts";
import { crossEntropyCases } from "./cases/cross_entropy.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("crossEntropy()", crossEntropyCases);

Deno.test("crossEntropy() is the weighted mean of -ln softmax", async () => {
  using backend = createReference({ precision: "float64" });
  const logits = randomTensor(1, [2, 3, 5], backend);
  const targets = [[4, 0, 2], [1, 1, 3]], weights = [[1, 0.5, 0], [2, 0.25, 3]];
  const probabilities = await readFloat64(softmax(logits));
  const losses = targets.flat().map((target, row) => -Math.log(probabilities[5 * row + target]));
  const mean = (w: number[]) =>
    losses.reduce((sum, loss, i) => sum + w[i] * loss, 0) / w.reduce((sum, x) => sum + x, 0);
  assertNear(await readFloat64(crossEntropy(logits, targets)), [mean([1, 1, 1, 1, 1, 1])], 1e-12);
  assertNear(await readFloat64(crossEntropy(logits, targets, weights)), [mean(weights.flat())], 1e-12);
});

testOnAll("crossEntropy() accepts lists, typed arrays and tensors alike", async (backend) => {
  const logits = tensor([0, Math.log(3), 0, 0], [1, 2, 2], backend);
  const half = [Math.log(4) + Math.log(2)].map((sum) => sum / 2);
  for (const targets of [[[0, 1]], [Uint8Array.of(0, 1)], tensor([0, 1], [1, 2], backend)]) {
    for (const weights of [undefined, [[3, 3]], [Float32Array.of(1, 1)], tensor([2, 2], [1, 2], backend)]) {
      assertNear(await read(crossEntropy(logits, targets, weights)), half, 1e-6);
    }
  }
});

testOnAll("crossEntropy() ignores masked tokens, also NaN and invalid ids", async (backend) => {
  const logits = tensor([0, 0, NaN, 0, 5, Infinity], [1, 3, 2], backend);
  const targets = tensor([0, 1, 9], [1, 3], backend);
  assertNear(await read(crossEntropy(logits, targets, [[1, 0, 0]])), [Math.LN2], 1e-6);
  assertSame(await read(crossEntropy(logits, targets, [[1, 1, 0]])), [NaN], "a row that counts");
});

testOnAll("crossEntropy() allocates only its result", (backend) => {
  const logits = tensor([0, 0, 0, 0], [1, 2, 2], backend);
  const { bytes } = backend.memory();
  backend.free(crossEntropy(logits, [[0, 1]], [[1, 2]]));
  assertEquals(backend.memory().bytes, bytes);
});

Deno.test("the crossEntropy kernel writes its output and nothing else", () => {
  const logits = list([0, Math.log(3), 0, 0, 0, 0]).data, targets = list([0, 1, 0]).data;
  const [mean] = runKernel(kernel, [1], [logits, targets, null], [3, 2]);
  assertNear(mean, [(Math.log(4) + 2 * Math.LN2) / 3], 1e-6);
  const [first] = runKernel(kernel, [1], [logits, targets, list([2, 0, 0]).data], [3, 2]);
  assertNear(first, [Math.log(4)], 1e-6);
});

const logits = tensor(new Float32Array(6), [1, 2, 3]);
const elsewhere = createReference();
const action = "Cannot compute cross-entropy:";

testFailures("crossEntropy()", [
  [
    "logits not a tensor",
    () => crossEntropy(wrong([[[0]]]), [[0]]),
    TypeError,
    `${action} logits must be a tensor [B, T, V], current value is an array of length 1`,
  ],
  [
    "logits",
    () => crossEntropy(tensor([1, 2], [1, 2]), [[0]]),
    TypeError,
    `${action} logits must be [B, T, V], current shape is [1, 2]`,
  ],
  [
    "an unknown target",
    () => crossEntropy(logits, [[0, 3]]),
    RangeError,
    `${action} targets must be integers from 0 to 2, current id is 3 at [0, 1]`,
  ],
  [
    "too few targets",
    () => crossEntropy(logits, [[0]]),
    TypeError,
    `${action} targets must be [1, 2], current shape is [1, 1]`,
  ],
  [
    "targets of another shape",
    () => crossEntropy(logits, tensor([0, 1], [2, 1])),
    TypeError,
    `${action} targets must be [1, 2], current shape is [2, 1]`,
  ],
  [
    "too few weights",
    () => crossEntropy(logits, [[0, 1]], [[1]]),
    TypeError,
    `${action} weights must be [1, 2], current shape is [1, 1]`,
  ],
  [
    "no weights",
    () => crossEntropy(logits, [[0, 1]], []),
    TypeError,
    `${action} weights must be [1, 2], current shape is [0, 0]`,
  ],
  [
    "weights of two lengths",
    () => crossEntropy(logits, [[0, 1]], [[1, 1], [1]]),
    TypeError,
    `${action} weights must have one length, current lengths are 2 and 1`,
  ],
  [
    "weights that are no lists",
    () => crossEntropy(logits, [[0, 1]], wrong(null)),
    TypeError,
    `${action} weights must be a tensor [B, T] or a list of B lists of T numbers, current value is null`,
  ],
  ...[-1, NaN, Infinity].map((weight) =>
    [
      `a weight of ${weight}`,
      () => crossEntropy(logits, [[0, 1]], [[1, weight]]),
      RangeError,
      `${action} weights must be finite and at least 0, current weight is ${weight}`,
    ] as const
  ),
  [
    "backends",
    () => crossEntropy(logits, [[0, 1]], tensor([1, 1], [1, 2], elsewhere)),
    TypeError,
    `${action} all tensors must live on one backend (move them with put), current logits lives on reference and ` +
    "weights on another reference",
  ],
]);
