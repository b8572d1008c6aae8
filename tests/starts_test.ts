import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  createReference,
  full,
  normal,
  ones,
  orthogonal,
  read,
  readFloat64,
  reference,
  uniform,
  zeros,
} from "@seqmix/seqmix";
import { assertNear, assertSame, testFailures, testOnAll, wrong } from "./helpers.ts";

testOnAll("zeros(), ones() and full() have one number in all places", async (backend) => {
  for (const shape of [[], [0], [2, 0, 3], [1], [7], [2, 3, 5]]) {
    const size = shape.reduce((product, axis) => product * axis, 1);
    for (const [t, value] of [[zeros(shape, backend), 0], [ones(shape, backend), 1]] as const) {
      assertEquals(t.shape, shape);
      assertStrictEquals(t.backend, backend);
      assertSame(await read(t), new Array(size).fill(value));
    }
    for (const value of [-0, 0.1, -Infinity, NaN]) {
      assertSame(await read(full(shape, value, backend)), new Array(size).fill(Math.fround(value)));
    }
  }
});

testOnAll("normal(), uniform() and orthogonal() give the reference's numbers", async (backend) => {
  for (
    const draw of [
      (on = reference) => normal([3, 67], { deviation: 2, mean: -1, seed: 5 }, on),
      (on = reference) => uniform([3, 67], { low: -2, high: 3, seed: 5 }, on),
      (on = reference) => orthogonal([5, 3], { gain: 2, seed: 5 }, on),
    ]
  ) {
    assertStrictEquals(draw(backend).backend, backend);
    assertSame(await read(draw(backend)), await read(draw()));
  }
});

Deno.test("starts live on the shared reference by default, and in double precision on a float64 one", async () => {
  const all = [zeros([1]), ones([1]), full([1], 2), normal([1], { seed: 1 }), uniform([1], { seed: 1 })];
  for (const t of [...all, orthogonal([1, 1], { seed: 1 })]) assertStrictEquals(t.backend, reference);
  using exact = createReference({ precision: "float64" });
  assertSame(await readFloat64(full([1], 0.1, exact)), [0.1]);
  const [drawn] = await readFloat64(normal([1], { seed: 1 }, exact));
  assert(drawn !== Math.fround(drawn));
});

/** Mean and deviation. */
function momentsOf(values: Float64Array): [mean: number, deviation: number] {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return [mean, Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length)];
}

Deno.test("normal() has the mean and the deviation, uniform() the range", async () => {
  const count = 100_000, near = (x: number, expected: number) => Math.abs(x - expected) < 0.02;
  const [mean, deviation] = momentsOf(await readFloat64(normal([count], { deviation: 2, mean: 5, seed: 1 })));
  assert(near(mean, 5) && near(deviation, 2), `${mean}, ${deviation}`);
  const [standardMean, standard] = momentsOf(await readFloat64(normal([count], { seed: 1 })));
  assert(near(standardMean, 0) && near(standard, 1));
  const drawn = await readFloat64(uniform([count], { low: -2, high: 4, seed: 1 }));
  const [middle, spread] = momentsOf(drawn);
  assert(near(middle, 1) && near(spread, 6 / Math.sqrt(12)), `${middle}, ${spread}`);
  assert(drawn.every((x) => x >= -2 && x <= 4));
  const unit = await readFloat64(uniform([count], { seed: 1 }));
  assert(unit.every((x) => x >= 0 && x <= 1) && Math.max(...unit.subarray(0, 1000)) > 0.99);
});

Deno.test("normal() and uniform() differ by seed, and a smaller tensor begins a larger one", async () => {
  for (const draw of [normal, uniform]) {
    const few = await read(draw([3], { seed: 2 })), many = await read(draw([2, 70_000], { seed: 2 }));
    assertSame(few, many.subarray(0, 3));
    assert((await read(draw([3], { seed: 3 })))[0] !== few[0]);
  }
});

Deno.test("orthogonal() has orthogonal rows or columns of the gain's length", async () => {
  using exact = createReference({ precision: "float64" });
  for (const [rows, columns] of [[1, 1], [3, 7], [7, 3], [16, 16]]) {
    const q = await readFloat64(orthogonal([rows, columns], { gain: 3, seed: 1 }, exact));
    const few = Math.min(rows, columns), many = Math.max(rows, columns);
    const at = (vector: number, i: number) =>
      rows <= columns ? q[vector * columns + i] : q[i * columns + vector];
    for (let a = 0; a < few; a++) {
      for (let b = 0; b < few; b++) {
        let product = 0;
        for (let i = 0; i < many; i++) product += at(a, i) * at(b, i);
        assertNear([9 + product], [9 + (a === b ? 9 : 0)], 1e-12);
      }
    }
  }
});

testFailures("zeros(), ones() and full()", [
  [
    "a number for a shape",
    () => zeros(wrong(3)),
    TypeError,
    "Cannot make zeros: shape must be a list of sizes, current value is 3",
  ],
  [
    "a negative size",
    () => ones([2, -1]),
    RangeError,
    "Cannot make ones: shape[1] must be an integer at least 0, current value is -1",
  ],
  [
    "the promise of a backend",
    () => zeros([1], wrong(Promise.resolve(reference))),
    TypeError,
    "Cannot make zeros: backend must be a backend (await the promise of one), current value is a promise",
  ],
  [
    "no value",
    () => full([1], wrong(undefined)),
    TypeError,
    "Cannot fill tensor: value must be a number, current value is undefined",
  ],
]);

testFailures("normal(), uniform() and orthogonal()", [
  [
    "no options",
    () => normal([1], wrong(undefined)),
    TypeError,
    "Cannot draw normal numbers: options must be an object, current value is undefined",
  ],
  [
    "no seed",
    () => normal([1], wrong({})),
    TypeError,
    "Cannot draw normal numbers: seed must be a number, current value is undefined",
  ],
  [
    "an unknown option",
    () => normal([1], wrong({ seed: 1, std: 1 })),
    TypeError,
    "Cannot draw normal numbers: options must have names among deviation, mean, seed, current one is std",
  ],
  [
    "a negative deviation",
    () => normal([1], { seed: 1, deviation: -1 }),
    RangeError,
    "Cannot draw normal numbers: deviation must be finite and at least 0, current value is -1",
  ],
  [
    "a mean of NaN",
    () => normal([1], { seed: 1, mean: NaN }),
    RangeError,
    "Cannot draw normal numbers: mean must be finite, current value is NaN",
  ],
  [
    "a high below low",
    () => uniform([1], { seed: 1, low: 2 }),
    RangeError,
    "Cannot draw uniform numbers: high must be finite and at least 2, current value is 1",
  ],
  [
    "one axis",
    () => orthogonal([3], { seed: 1 }),
    TypeError,
    "Cannot draw orthogonal matrix: shape must be [O, I], current shape is [3]",
  ],
  [
    "an infinite gain",
    () => orthogonal([3, 3], { seed: 1, gain: Infinity }),
    RangeError,
    "Cannot draw orthogonal matrix: gain must be finite, current value is Infinity",
  ],
]);
