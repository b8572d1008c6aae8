import { assertEquals } from "@std/assert";
import { mean, read, sum, tensor } from "@seqmix/seqmix";
import fc from "fast-check";
import { sum as kernel } from "../../src/ops/reduce/reference.ts";
import { assertNear, assertSame, normal, runKernel, testFailures, testOnAll, wrong } from "../helpers.ts";
import { randomSource } from "../../src/random.ts";
import { meanCases, sumCases } from "./cases/reduce.ts";
import { elementAt, plain, shapes, tensorsOf } from "./plain.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("sum()", sumCases);
runOnAll("mean()", meanCases);

testOnAll("sum() and mean() over an axis are plain loops", async (backend) => {
  const calls = shapes(1, 4).chain((shape) =>
    fc.tuple(tensorsOf(shape), fc.integer({ min: -shape.length, max: shape.length - 1 }))
  );
  const property = fc.asyncProperty(calls, async ([x, axis]) => {
    const at = axis < 0 ? axis + x.shape.length : axis, size = x.shape[at];
    const total = plain(x.shape.toSpliced(at, 1), (index) => {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += elementAt(x, index.toSpliced(at, 0, i));
      return sum;
    });
    const given = tensor(x.data, x.shape, backend), y = sum(given, axis);
    assertEquals(y.shape, total.shape);
    assertSame(await read(y), total.data);
    if (size > 0) {
      const average = mean(given, axis);
      assertNear(await read(average), total.data.map((sum) => sum / size), 1e-6);
      backend.free(average);
    }
    backend.free([given, y]);
  });
  await fc.assert(property, { numRuns: 60, seed: 1 });
});

testOnAll("sum() of thousands of numbers keeps their digits", async (backend) => {
  const x = Float32Array.from({ length: 70_001 }, (_, i) => Math.sin(i) + 1),
    exact = x.reduce((a, b) => a + b, 0);
  const wanted = Array.from(x).reduce((sum, value) => sum + value, 0);
  assertNear([exact], [wanted], 1e-3);
  assertNear(await read(sum(tensor(x, [70_001], backend))), [wanted], 1e-6);
  assertNear(await read(sum(tensor(x, [70_001, 1], backend), 0)), [wanted], 1e-6);
  assertNear(await read(mean(tensor([...x, ...x], [2, 70_001], backend), 1)), [
    wanted / 70_001,
    wanted / 70_001,
  ], 1e-6);
});

testOnAll("mean() of numbers whose sum exceeds single precision is finite", async (backend) => {
  for (const [shape, axis] of [[[5], 0], [[70, 2], 0], [[2, 3], 1]] as const) {
    const size = shape.reduce((product, size) => product * size, 1);
    const y = await read(mean(tensor(new Float32Array(size).fill(3e38), shape, backend), axis));
    assertNear(y, new Float32Array(y.length).fill(3e38), 1e-6);
  }
});

Deno.test("the sum kernel writes its output and nothing else", () => {
  const x = normal(randomSource(1), [2, 3, 5]).data;
  const [y] = runKernel(kernel, [10], [x], [2, 3, 5, 2]);
  assertNear(
    y,
    Array.from({ length: 10 }, (_, i) => {
      const first = Math.floor(i / 5) * 15 + i % 5;
      return (x[first] + x[first + 5] + x[first + 10]) / 2;
    }),
    1e-6,
  );
});

const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]), none = tensor([], [2, 0]), one = tensor([1], []);

for (const [run, action] of [[sum, "sum"], [mean, "take mean"]] as const) {
  testFailures(`${run.name}()`, [
    [
      "not a tensor",
      () => run(wrong(null)),
      TypeError,
      `Cannot ${action}: x must be a tensor [...], current value is null`,
    ],
    ["no axes", () => run(one, 0), TypeError, `Cannot ${action}: x must be [..., N], current shape is []`],
    [
      "axis",
      () => run(x, 2),
      RangeError,
      `Cannot ${action}: axis must be an integer from -2 to 1, current value is 2`,
    ],
    [
      "part of an axis",
      () => run(x, 0.5),
      RangeError,
      `Cannot ${action}: axis must be an integer from -2 to 1, current value is 0.5`,
    ],
    [
      "axes",
      () => run(x, wrong([0])),
      TypeError,
      `Cannot ${action}: axis must be a number, current value is an array of length 1`,
    ],
  ]);
}

testFailures("mean() of nothing", [
  [
    "axis",
    () => mean(none, -1),
    RangeError,
    "Cannot take mean: axis -1 of x must have at least one element, current size is 0",
  ],
  [
    "all",
    () => mean(none),
    RangeError,
    "Cannot take mean: x must have at least one element, current size is 0",
  ],
]);
