import { createReference, linear, read, tensor } from "@seqmix/seqmix";
import { linear as kernel } from "../../src/ops/linear/reference.ts";
import { assertSame, runKernel, testFailures, wrong } from "../helpers.ts";
import { linearCases } from "./cases/linear.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("linear()", linearCases);

const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
const weight = tensor([1, 0, 0, 1, 10, 100], [2, 3]);
const bias = tensor([1000, 2000], [2]);

Deno.test("linear() multiplies rows of x with rows of the weight", async () => {
  assertSame(await read(linear(x, weight)), [1, 321, 4, 654]);
  assertSame(await read(linear(x, weight, bias)), [1001, 2321, 1004, 2654]);
});

Deno.test("linear() sums in double precision on the reference", async () => {
  const y = linear(tensor([1e8, 1, -1e8], [1, 3]), tensor([1, 1, 1], [1, 3]));
  assertSame(await read(y), [1]);
});

Deno.test("the linear kernel writes its output and nothing else", async () => {
  const inputs = [await read(x), await read(weight)];
  assertSame(runKernel(kernel, [4], [...inputs, await read(bias)], [2, 3, 2])[0], [1001, 2321, 1004, 2654]);
  assertSame(runKernel(kernel, [4], [...inputs, null], [2, 3, 2])[0], [1, 321, 4, 654]);
});

const elsewhere = createReference();
const freed = tensor([1, 2, 3], [1, 3]);
freed.backend.free(freed);

testFailures("linear()", [
  [
    "x not a tensor",
    () => linear(wrong([1, 2, 3]), weight),
    TypeError,
    "Cannot compute linear: x must be a tensor [..., 3], current value is an array of length 3",
  ],
  [
    "weight not a matrix",
    () => linear(x, bias),
    TypeError,
    "Cannot compute linear: weight must be [O, I], current shape is [2]",
  ],
  [
    "inputs",
    () => linear(bias, weight),
    TypeError,
    "Cannot compute linear: x must be [..., 3], current shape is [2]",
  ],
  [
    "a number for x",
    () => linear(tensor([1], []), weight),
    TypeError,
    "Cannot compute linear: x must be [..., 3], current shape is []",
  ],
  [
    "bias",
    () => linear(x, weight, x),
    TypeError,
    "Cannot compute linear: bias must be [2], current shape is [2, 3]",
  ],
  [
    "bias null",
    () => linear(x, weight, wrong(null)),
    TypeError,
    "Cannot compute linear: bias must be a tensor [2], current value is null",
  ],
  [
    "backends",
    () => linear(x, weight, tensor([1, 2], [2], elsewhere)),
    TypeError,
    "Cannot compute linear: all tensors must live on one backend (move them with put), current x lives on " +
    "reference and bias on another reference",
  ],
  [
    "freed",
    () => linear(freed, weight),
    TypeError,
    "Cannot compute linear: tensor must be alive, current tensor of shape [1, 3] on reference was freed",
  ],
]);
