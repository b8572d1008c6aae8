import { createReference, readFloat64, softmax, tensor } from "@seqmix/seqmix";
import { softmax as kernel } from "../../src/ops/softmax/reference.ts";
import { randomSource } from "../../src/random.ts";
import { assertNear, normal, runKernel, testFailures, wrong } from "../helpers.ts";
import { softmaxCases } from "./cases/softmax.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("softmax()", softmaxCases);

Deno.test("softmax() of logarithms plus a constant gives the probabilities", async () => {
  using backend = createReference({ precision: "float64" });
  const probabilities = [0.1, 0.2, 0.7, 0.5, 0.25, 0.25];
  const logits = probabilities.map((p, i) => Math.log(p) + (i < 3 ? 0 : 700));
  assertNear(await readFloat64(softmax(tensor(logits, [2, 3], backend))), probabilities, 1e-12);
});

Deno.test("the softmax kernel writes its output and nothing else", () => {
  const x = normal(randomSource(1), [3, 5]).data;
  const [y] = runKernel(kernel, [15], [x], [3, 5]);
  const [last] = runKernel(kernel, [5], [x.slice(10)], [1, 5]);
  assertNear(y.slice(10), last, 0);
});

testFailures("softmax()", [
  [
    "not a tensor",
    () => softmax(wrong(undefined)),
    TypeError,
    "Cannot compute softmax: x must be a tensor [..., V], current value is undefined",
  ],
  [
    "no axis",
    () => softmax(tensor([1], [])),
    TypeError,
    "Cannot compute softmax: x must be [..., V], current shape is []",
  ],
]);
