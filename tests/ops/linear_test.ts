import { assertEquals } from "@std/assert";
import { createReference, linear, read, tensor } from "@seqmix/seqmix";
import { vjp } from "../../src/autodiff/mod.ts";
import { linear as kernel } from "../../src/ops/linear/reference.ts";
import { assertSame, runKernel, testFailures, testOnAll, wrong } from "../helpers.ts";
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

testOnAll(
  "linear() has NaN gradients from NaN and infinities, also times gradients of 0",
  async (backend) => {
    const put = (values: number[], ...shape: number[]) => tensor(values, shape, backend);
    const gy = put([0, 0, 0, 0, -0, 0, 1, 1], 4, 2);
    const gradients = async (x: number[], weight: number[]) => {
      const { grads } = vjp(([x, weight]) => [linear(x, weight)], [put(x, 4, 2), put(weight, 2, 2)], [gy]);
      return [[...await read(grads[0])], [...await read(grads[1])]];
    };
    assertEquals(await gradients([1, 2, 3, NaN, Infinity, 6, 7, 8], [1, 2, 3, 4]), [
      [0, 0, 0, 0, 0, 0, 4, 6],
      [NaN, NaN, NaN, NaN],
    ]);
    assertEquals(await gradients([1, 2, 3, 4, 5, 6, 7, 8], [NaN, 2, 3, 4]), [
      [NaN, 0, NaN, 0, NaN, 0, NaN, 6],
      [7, 8, 7, 8],
    ]);
  },
);

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
