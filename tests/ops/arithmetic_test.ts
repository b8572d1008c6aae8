import { add, createReference, divide, multiply, read, scale, subtract, tensor } from "@seqmix/seqmix";
import fc from "fast-check";
import { assertEquals } from "@std/assert";
import * as kernels from "../../src/ops/arithmetic/reference.ts";
import { randomSource } from "../../src/random.ts";
import { assertNear, assertSame, normal, runKernel, testFailures, testOnAll, wrong } from "../helpers.ts";
import { broadcastCases, scaleByCases } from "./cases/arithmetic.ts";
import { broadcastAt, broadcastShapes, plain, tensorsOf } from "./plain.ts";
import { runOnAll } from "./run_on_all.ts";

for (const [symbol, cases] of Object.entries(broadcastCases)) runOnAll(`${symbol}()`, cases);
runOnAll("scale() by a tensor", scaleByCases);

const binary = [
  [add, (a: number, b: number) => a + b],
  [subtract, (a: number, b: number) => a - b],
  [multiply, (a: number, b: number) => a * b],
  [divide, (a: number, b: number) => a / b],
] as const;

testOnAll("add(), subtract(), multiply() and divide() broadcast as plain loops do", async (backend) => {
  const pairs = broadcastShapes.chain(({ a, b, shape }) =>
    fc.tuple(tensorsOf(a), tensorsOf(b), fc.constant(shape))
  );
  const property = fc.asyncProperty(pairs, fc.constantFrom(...binary), async ([a, b, shape], [run, of]) => {
    const wanted = plain(shape, (index) => of(broadcastAt(a, index), broadcastAt(b, index)));
    const y = backend.scope(() => run(tensor(a.data, a.shape, backend), tensor(b.data, b.shape, backend)));
    assertEquals(y.shape, shape);
    assertNear(await read(y), wanted.data, 1e-6);
    backend.free(y);
  });
  await fc.assert(property, { numRuns: 60, seed: 1 });
});

testOnAll("divide() follows IEEE 754 at zero and infinity, signs included", async (backend) => {
  const a = [1, -1, 0, -0, 0, Infinity, Infinity, -Infinity, 5, -5, NaN, -0];
  const b = [0, 0, 3, 3, 0, 2, Infinity, -0, Infinity, Infinity, 1, -7];
  const y = await read(divide(tensor(a, [12], backend), tensor(b, [12], backend)));
  assertSame(y, a.map((x, i) => x / b[i]));
});

testOnAll("subtract() and scale() keep the sign of 0", async (backend) => {
  const a = tensor([0, -0, -0, 1], [4], backend), b = tensor([0, 0, -0, 1], [4], backend);
  assertSame(await read(subtract(a, b)), [0, -0, 0, 0]);
  assertSame(await read(scale(a, -1)), [-0, 0, 0, -1]);
  assertSame(await read(scale(a, tensor([2], [], backend))), [0, -0, -0, 2]);
});

Deno.test("the arithmetic kernels write their outputs and nothing else", () => {
  const random = randomSource(1), size = 7;
  const [gy, a, b] = [1, 2, 3].map(() => normal(random, [size]).data);
  const [difference] = runKernel(kernels.subtract, [size], [a, b], [size]);
  assertNear(difference, a.map((x, i) => x - b[i]), 1e-6);
  const [quotient] = runKernel(kernels.divide, [size], [a, b], [size]);
  assertNear(quotient, a.map((x, i) => x / b[i]), 1e-6);
  const [ga, gb] = runKernel(kernels.divideBackward, [size, size], [gy, a, b], [size]);
  assertNear(ga, gy.map((g, i) => g / b[i]), 1e-6);
  assertNear(gb, gy.map((g, i) => -g * a[i] / b[i] ** 2), 1e-6);
  const [scaled] = runKernel(kernels.scale, [size], [a], [size, 3]);
  assertNear(scaled, a.map((x) => 3 * x), 1e-6);
});

const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]), turned = tensor([1, 2, 3, 4, 5, 6], [3, 2]);
const elsewhere = createReference(), moved = tensor([1, 2, 3], [3], elsewhere);
const freed = tensor([1, 2], [2, 1]);
freed.backend.free(freed);

// By name, since a bundler may rename functions.
for (const [action, run] of Object.entries({ add, subtract, multiply, divide })) {
  testFailures(`${action}()`, [
    [
      "a not a tensor",
      () => run(wrong(3), x),
      TypeError,
      `Cannot ${action}: a must be a tensor [...], current value is 3`,
    ],
    [
      "b not a tensor",
      () => run(x, wrong(undefined)),
      TypeError,
      `Cannot ${action}: b must be a tensor [2, 3], current value is undefined`,
    ],
    [
      "shapes",
      () => run(x, turned),
      TypeError,
      `Cannot ${action}: the sizes of a and b must be equal or 1, from the last on, current shapes are [2, 3] and [3, 2]`,
    ],
    [
      "backends",
      () => run(x, moved),
      TypeError,
      `Cannot ${action}: all tensors must live on one backend (move them with put), current a lives on reference and ` +
      "b on another reference",
    ],
    [
      "freed",
      () => run(freed, freed),
      TypeError,
      `Cannot ${action}: tensor must be alive, current tensor of shape [2, 1] on reference was freed`,
    ],
    [
      "freed and broadcast",
      () => run(x, freed),
      TypeError,
      "Cannot broadcast: tensor must be alive, current tensor of shape [2, 1] on reference was freed",
    ],
  ]);
}

testFailures("scale()", [
  [
    "x",
    () => scale(wrong([1]), 2),
    TypeError,
    "Cannot scale: x must be a tensor [...], current value is an array of length 1",
  ],
  [
    "factor",
    () => scale(x, wrong("2")),
    TypeError,
    'Cannot scale: factor must be a number or a tensor [], current value is "2"',
  ],
  [
    "factor's shape",
    () => scale(x, turned),
    TypeError,
    "Cannot scale: factor must be [], current shape is [3, 2]",
  ],
]);
