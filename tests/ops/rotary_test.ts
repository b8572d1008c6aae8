import { createReference, read, readFloat64, rotary, tensor } from "@seqmix/seqmix";
import { type Engine, engineOf } from "../../src/engine.ts";
import { rotaryOp } from "../../src/ops/rotary/mod.ts";
import { rotary as kernel } from "../../src/ops/rotary/reference.ts";
import { randomSource } from "../../src/random.ts";
import {
  assertNear,
  assertSame,
  normal,
  randomTensor,
  runBackward,
  runKernel,
  testFailures,
  testOnAll,
  wrong,
} from "../helpers.ts";
import { rotaryAtCases, rotaryCases } from "./cases/rotary.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("rotary()", rotaryCases);
runOnAll("rotary() at positions of each step", rotaryAtCases);

testOnAll(
  "rotary() at positions that follow each other is that from the first, bit for bit,",
  async (backend) => {
    const x = randomTensor(1, [2, 5, 12], backend);
    const position = tensor([3, 4, 5, 6, 7, 3, 4, 5, 6, 7], [2, 5], backend);
    const y = rotary(x, { heads: 3, position }), expected = rotary(x, { heads: 3, position: 3 });
    assertSame(await readFloat64(y), await readFloat64(expected));
  },
);

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);

Deno.test("rotary() rotates the pair (i, i + N/2) of each head by p·base^(-2i/N)", async () => {
  using backend = createReference({ precision: "float64" });
  // Two heads of four channels: pairs (0, 2) and (1, 3), at angles 3 and 3 / √100.
  const x = tensor([1, 0, 0, 2, 0, 1, 1, 0], [1, 1, 8], backend);
  const y = await readFloat64(rotary(x, { heads: 2, position: 3, base: 100 }));
  const [c, s, slowC, slowS] = [Math.cos(3), Math.sin(3), Math.cos(0.3), Math.sin(0.3)];
  assertNear(y, [c, -2 * slowS, s, 2 * slowC, -s, slowC, c, slowS], 1e-12);
});

Deno.test("rotary() makes products depend only on the distance, and preserves the length", async () => {
  using backend = createReference({ precision: "float64" });
  const query = randomTensor(1, [1, 1, 14], backend), key = randomTensor(2, [1, 1, 14], backend);
  const at = (x: typeof query, position: number) => readFloat64(rotary(x, { heads: 1, position }));
  const product = dot(await at(query, 5), await at(key, 0));
  for (const position of [1, 37, 4000]) {
    assertNear([dot(await at(query, position + 5), await at(key, position))], [product], 1e-10);
    const y = await at(query, position), x = await readFloat64(query);
    assertNear([dot(y, y)], [dot(x, x)], 1e-12);
  }
});

Deno.test("rotary() rotates the steps of a sequence by their positions", async () => {
  using backend = createReference({ precision: "float64" });
  const x = randomTensor(3, [1, 3, 4], backend), values = await readFloat64(x);
  const y = await readFloat64(rotary(x, { heads: 2, position: 7 }));
  for (const step of [0, 1, 2]) {
    const alone = tensor(values.slice(4 * step, 4 * step + 4), [1, 1, 4], backend);
    const turned = await readFloat64(rotary(alone, { heads: 2, position: 7 + step }));
    assertNear(y.slice(4 * step, 4 * step + 4), turned, 1e-12);
  }
});

testOnAll("rotary() rotates a step by its own angles, whatever was rotated before", async (backend) => {
  using reference = engineOf(createReference());
  // Each case differs from the previous one in one thing that the angles depend on; then the first again.
  const all: [number, number, number, number][] = [
    [8, 2, 3, 100],
    [8, 2, 3, 100],
    [8, 2, 4, 100],
    [8, 2, 4, 50],
    [8, 4, 4, 50],
    [24, 3, 4, 50],
    [8, 2, 3, 100],
  ];
  for (const [channels, heads, position, base] of all) {
    const there = (backend: Engine) =>
      read(rotary(randomTensor(3, [2, 1, channels], backend), { heads, position, base }));
    const back = (backend: Engine) =>
      read(runBackward(rotaryOp, [randomTensor(3, [2, 1, channels], backend)], [heads, position, base])[0]);
    for (const turn of [there, back, there]) assertNear(await turn(backend), await turn(reference), 1e-6);
  }
});

Deno.test("the rotary kernel writes its output and nothing else", () => {
  const x = normal(randomSource(1), [2, 3, 12]).data;
  const [y] = runKernel(kernel, [72], [x], [2, 3, 12, 2, 5, 10_000]);
  const [second] = runKernel(kernel, [36], [x.slice(36)], [1, 3, 12, 2, 5, 10_000]);
  assertNear(y.slice(36), second, 0);
});

const x = tensor(new Float32Array(12), [1, 2, 6]);

testFailures("rotary()", [
  [
    "x not a tensor",
    () => rotary(wrong(1), { heads: 1 }),
    TypeError,
    "Cannot turn rotary: x must be a tensor [B, T, C], current value is 1",
  ],
  [
    "x",
    () => rotary(tensor([1, 2], [2]), { heads: 1 }),
    TypeError,
    "Cannot turn rotary: x must be [B, T, C], current shape is [2]",
  ],
  [
    "no heads",
    () => rotary(x, wrong({})),
    TypeError,
    "Cannot turn rotary: heads must be a number, current value is undefined",
  ],
  [
    "0 heads",
    () => rotary(x, { heads: 0 }),
    RangeError,
    "Cannot turn rotary: heads must be an integer at least 1, current value is 0",
  ],
  [
    "heads that don't divide C",
    () => rotary(x, { heads: 4 }),
    RangeError,
    "Cannot turn rotary: heads must divide C, current heads is 4 and C is 6",
  ],
  [
    "odd heads",
    () => rotary(x, { heads: 2 }),
    RangeError,
    "Cannot turn rotary: head size must be even, current C/heads is 3",
  ],
  [
    "a negative position",
    () => rotary(x, { heads: 1, position: -1 }),
    RangeError,
    "Cannot turn rotary: position must be an integer from 0 to 2147483647, current value is -1",
  ],
  [
    "a NaN position",
    () => rotary(x, { heads: 1, position: NaN }),
    RangeError,
    "Cannot turn rotary: position must be an integer from 0 to 2147483647, current value is NaN",
  ],
  [
    "a position past 32 bits",
    () => rotary(x, { heads: 1, position: 2 ** 31 }),
    RangeError,
    "Cannot turn rotary: position must be an integer from 0 to 2147483647, current value is 2147483648",
  ],
  ...[0, -1, NaN, Infinity].map((base) =>
    [
      `base ${base}`,
      () => rotary(x, { heads: 1, base }),
      RangeError,
      `Cannot turn rotary: base must be finite and above 0, current base is ${base}`,
    ] as const
  ),
]);
