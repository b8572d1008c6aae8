import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { clipByGlobalNorm, createReference, read, readFloat64, squaredNorm, tensor } from "@seqmix/seqmix";
import { run } from "../../src/compute.ts";
import { normOp } from "../../src/ops/clip/mod.ts";
import { assertNear, assertSame, testFailures, testOnAll } from "../helpers.ts";

testOnAll("clipByGlobalNorm() scales down gradients above the bound, and no others", async (backend) => {
  const grads = { a: tensor([3, 0], [2], backend), rest: [tensor([-4], [1, 1], backend)], heads: 2 };
  const held = backend.memory().bytes;
  const above = clipByGlobalNorm(grads, 2), below = clipByGlobalNorm(grads, 6);
  assertNear(await read(above.a), [3 * 0.4, 0], 1e-6);
  assertNear(await read(above.rest[0]), [-4 * 0.4], 1e-6);
  assertSame(await read(below.a), [3, 0]);
  assertSame(await read(below.rest[0]), [-4]);
  assertEquals(above.heads, 2);
  assertSame(await read(grads.a), [3, 0]);
  backend.free([above, below]);
  assertEquals(backend.memory().bytes, held);
});

testOnAll("squaredNorm() sums the squares of a tree's tensors", async (backend) => {
  const many = new Float32Array(70_001).fill(2);
  const square = squaredNorm([tensor(many, [many.length], backend), { b: tensor([3], [], backend) }]);
  assertEquals(square.shape, []);
  assertNear(await read(square), [4 * many.length + 9], 1e-6);
});

testOnAll("clipByGlobalNorm() makes all gradients NaN if one is", async (backend) => {
  const { a, b } = clipByGlobalNorm({ a: tensor([1], [1], backend), b: tensor([NaN], [1], backend) }, 1);
  assertSame(await read(a), [NaN]);
  assertSame(await read(b), [NaN]);
});

testOnAll(
  "clipByGlobalNorm() clips gradients whose squares or norm overflow",
  async (backend) => {
    const clipped = async (numbers: readonly number[], maxNorm: number) => {
      const [first, ...others] = numbers;
      const grads = { one: tensor([first], [1], backend), others: tensor(others, [others.length], backend) };
      const { one, others: rest } = clipByGlobalNorm(grads, maxNorm);
      return [...await read(one), ...await read(rest)];
    };
    assertNear(await clipped([3e19, 4e19], 1), [0.6, 0.8], 1e-6);
    assertNear(await clipped([3e38, -3e38, 3e38, 3e38], 1), [0.5, -0.5, 0.5, 0.5], 1e-6);
    assertNear(await clipped([3e38, 3e38], 1e-20), [Math.SQRT1_2 * 1e-20, Math.SQRT1_2 * 1e-20], 1e-6);
    assertNear(await clipped([3e38, 3e38], 1e38), [Math.SQRT1_2 * 1e38, Math.SQRT1_2 * 1e38], 1e-6);
    // Each by itself, because 1e-30 is negligible beside 1.
    const [one, small] = await clipped([1e30, 1], 1);
    assertNear([one], [1], 1e-6);
    assertNear([small], [1e-30], 1e-6);
    assertSame(await clipped([3e-30, 4e-30], 1), [3e-30, 4e-30].map(Math.fround));
  },
);

testOnAll("clipByGlobalNorm() makes an infinite gradient NaN, and finite ones 0", async (backend) => {
  const grads = [tensor([1, -Infinity], [2], backend), tensor([2, Infinity], [2], backend)];
  const [a, b] = clipByGlobalNorm(grads, 1);
  assertSame([...await read(a), ...await read(b)].map((x) => x + 0), [0, NaN, 0, NaN]);
});

testOnAll("clipByGlobalNorm() equals its equation at every magnitude", async (backend) => {
  const magnitude = fc.double({ min: -37, max: 38, noNaN: true });
  const numbers = fc.array(fc.tuple(magnitude, fc.boolean()), { minLength: 1, maxLength: 5 });
  const property = fc.asyncProperty(numbers, numbers, magnitude, async (a, b, bound) => {
    const maxNorm = 10 ** bound;
    const grads = [a, b].map((list) => list.map(([e, sign]) => Math.fround((sign ? 1 : -1) * 10 ** e)));
    const norm = Math.hypot(...grads.flat());
    const clipped = clipByGlobalNorm(grads.map((list) => tensor(list, [list.length], backend)), maxNorm);
    for (const [i, t] of clipped.entries()) {
      for (const [at, actual] of (await read(t)).entries()) {
        const expected = grads[i][at] * Math.min(1, maxNorm / (norm + 1e-6));
        // A GPU flushes subnormal numbers to 0.
        const error = Math.abs(actual - expected) / (Math.abs(expected) + 2 ** -126);
        assert(error <= 2e-6 || Math.abs(actual - expected) <= 2 ** -126, `${actual} is not ${expected}`);
      }
    }
    backend.free(clipped);
  });
  await fc.assert(property, { numRuns: 60, seed: 1 });
});

Deno.test("clipByGlobalNorm() of a float64 reference is correct at the limits of its range", async () => {
  using backend = createReference({ precision: "float64" });
  for (
    const [numbers, maxNorm, expected] of [
      [[3e160, 4e160], 1, [0.6, 0.8]],
      [[1.5e308, 1.5e308], 1e-10, [Math.SQRT1_2 * 1e-10, Math.SQRT1_2 * 1e-10]],
      [[1.5e308, 1.5e308], 1e308, [Math.SQRT1_2 * 1e308, Math.SQRT1_2 * 1e308]],
      [[3e-30, 4e-30], 1e-30, [3e-54, 4e-54]],
      [[3e-170, 4e-170], 1e-20, [3e-184, 4e-184]],
    ]
  ) {
    const clipped = clipByGlobalNorm(tensor(numbers as number[], [2], backend), maxNorm as number);
    assertNear(await readFloat64(clipped), expected as number[], 1e-12);
  }
  assertNear(
    await readFloat64(run(normOp, [tensor([3e-200, 4e-200], [2], backend)], [1])[0]),
    [5e-200],
    1e-12,
  );
});

testOnAll("squaredNorm() is infinite if the sum of squares overflows", async (backend) => {
  assertSame(await read(squaredNorm([tensor([3e19], [1], backend), tensor([1], [1], backend)])), [Infinity]);
  assertNear(await read(squaredNorm(tensor([1e19, 1e19], [2], backend))), [2e38], 1e-6);
});

testFailures("squaredNorm()", [
  [
    "no tensor",
    () => squaredNorm({ rate: 1 }),
    TypeError,
    "Cannot take norm: tree must hold tensors, current value is an object of rate",
  ],
]);

testFailures("clipByGlobalNorm()", [
  [
    "no bound",
    () => clipByGlobalNorm({ a: tensor([1], [1]) }, 0),
    RangeError,
    "Cannot clip gradients: maxNorm must be a number above 0, current maxNorm is 0",
  ],
  [
    "no tensor",
    () => clipByGlobalNorm({}, 1),
    TypeError,
    "Cannot clip gradients: grads must hold tensors, current value is an object (Object)",
  ],
]);
