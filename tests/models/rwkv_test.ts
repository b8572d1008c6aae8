import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { createReference, put, read, rwkv, type RwkvParams, type Tensor } from "@seqmix/seqmix";
import { assertSame, type Failure, testFailures, testOnAll, wrong } from "../helpers.ts";
import { moved } from "../mixers.ts";

const sizes = [
  { vocabulary: 64, layers: 4, channels: 32, feedForward: 100 },
  { vocabulary: 5, layers: 1, channels: 8, feedForward: 3 },
  { vocabulary: 2, layers: 2, channels: 1, feedForward: 1 },
];

Deno.test("rwkv.init() starts decay, bonus and mixes as the official model does", async () => {
  for (const config of sizes) {
    const { layers: L, channels: C } = config;
    const { blocks } = rwkv.init(config, 1);
    assertEquals(blocks.length, L);
    for (const [l, { timeMix, channelMix }] of blocks.entries()) {
      const r = L === 1 ? 0 : l / (L - 1), d = 1 - l / L;
      const channel = (value: (i: number) => number) => Float32Array.from({ length: C }, (_, i) => value(i));
      const ratio = (i: number) => C === 1 ? 0 : i / (C - 1);
      assertEquals(await read(timeMix.decay), channel((i) => -5 + 8 * Math.pow(ratio(i), 0.7 + 1.3 * r)));
      assertEquals(
        await read(timeMix.bonus),
        channel((i) => Math.log(0.3) + [0, 0.5, -0.5][i % 3]),
      );
      assertEquals(await read(timeMix.mixK), channel((i) => Math.pow(i / C, d)));
      assertEquals(await read(timeMix.mixV), channel((i) => Math.pow(i / C, d) + 0.3 * r));
      assertEquals(await read(timeMix.mixR), channel((i) => Math.pow(i / C, 0.5 * d)));
      assertEquals(await read(channelMix.mixK), channel((i) => Math.pow(i / C, d)));
      assertEquals(await read(channelMix.mixR), channel((i) => Math.pow(i / C, d)));
    }
  }
});

Deno.test("rwkv.init() lets decay run from -5 to 3", async () => {
  for (const { timeMix } of rwkv.init(sizes[0], 1).blocks) {
    const decay = await read(timeMix.decay);
    assertEquals([decay[0], decay[31]], [-5, 3]);
    assertEquals(decay, decay.toSorted());
  }
});

Deno.test("rwkv.init() starts with blocks that add nothing", async () => {
  for (const { timeMix, channelMix } of rwkv.init(sizes[0], 1).blocks) {
    const zeros = [timeMix.key, timeMix.receptance, timeMix.output, channelMix.receptance, channelMix.value];
    for (const zero of zeros) assertEquals(new Set(await read(zero)), new Set([0]));
  }
});

Deno.test("rwkv.init() starts layer normalizations at one", async () => {
  const { ln0, blocks, lnOut } = rwkv.init(sizes[0], 1);
  for (const { weight, bias } of [ln0, lnOut, ...blocks.flatMap(({ ln1, ln2 }) => [ln1, ln2])]) {
    assertEquals(new Set(await read(weight)), new Set([1]));
    assertEquals(new Set(await read(bias)), new Set([0]));
  }
});

Deno.test("rwkv.init() starts value, key and head orthogonal, with their gains", async () => {
  for (const config of sizes) {
    const { blocks, head } = rwkv.init(config, 3);
    const { vocabulary: V, channels: C, feedForward: F } = config;
    await assertOrthogonal(head, 0.5 * Math.sqrt(Math.max(1, V / C)));
    for (const { timeMix, channelMix } of blocks) {
      await assertOrthogonal(timeMix.value, 1);
      await assertOrthogonal(channelMix.key, Math.sqrt(Math.max(1, F / C)));
    }
  }
});

Deno.test("rwkv.init() starts the embedding uniform within a ten thousandth", async () => {
  const { embedding } = rwkv.init(sizes[0], 1);
  const values = Array.from(await read(embedding));
  const largest = Math.max(...values.map(Math.abs));
  assert(largest <= 1e-4 && largest > 0.99e-4, String(largest));
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
  assertAlmostEquals(deviation, 1e-4 / Math.sqrt(3), 3e-6);
});

testFailures("rwkv.init()", [
  ...["vocabulary", "layers", "channels", "feedForward"].flatMap((name): Failure[] => [
    ...[NaN, 0, -1, 1.5, Infinity].map((value): Failure => [
      `${name} ${value}`,
      () => rwkv.init({ ...sizes[0], [name]: value }, 1),
      RangeError,
      `Cannot initialize RWKV: config.${name} must be an integer at least 1, current value is ${value}`,
    ]),
    [
      `${name} "4"`,
      () => rwkv.init({ ...sizes[0], [name]: "4" }, 1),
      TypeError,
      `Cannot initialize RWKV: config.${name} must be a number, current value is "4"`,
    ],
  ]),
  [
    "no config",
    () => rwkv.init(wrong(null), 1),
    TypeError,
    "Cannot initialize RWKV: config must be an object, current value is null",
  ],
]);

/** Asserts that the vectors along the shorter side are orthogonal and of length `gain`. */
async function assertOrthogonal(t: Tensor, gain: number): Promise<void> {
  const values = await read(t);
  const [rows, columns] = t.shape;
  const count = Math.min(rows, columns), length = Math.max(rows, columns);
  const at = (vector: number, i: number) =>
    values[rows <= columns ? vector * columns + i : i * columns + vector];
  for (let a = 0; a < count; a++) {
    for (let b = 0; b <= a; b++) {
      let dot = 0;
      for (let i = 0; i < length; i++) dot += at(a, i) * at(b, i);
      assertAlmostEquals(dot, a === b ? gain * gain : 0, 1e-6);
    }
  }
}

testOnAll("rwkv.forward() of two models that share weights gives the same as separately", async (backend) => {
  const config = { vocabulary: 11, layers: 2, channels: 12, feedForward: 21 };
  const params = await put(moved(rwkv.init(config, 1), 1), backend);
  const turned = { ...params, blocks: [...params.blocks].reverse() };
  const copies = await put(await put(turned, createReference()), backend);
  const logits = async (of: RwkvParams) => await read(rwkv.forward(of, [[1]], rwkv.initialState(of)).logits);
  const own = await logits(params), other = await logits(copies);
  for (let turn = 0; turn < 2; turn++) {
    assertSame(await logits(params), own);
    assertSame(await logits(turned), other);
  }
});
