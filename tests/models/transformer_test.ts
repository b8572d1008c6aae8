import { assert, assertEquals } from "@std/assert";
import { presets, read, type Tensor, transformer } from "@seqmix/seqmix";
import { type Failure, testFailures, wrong } from "../helpers.ts";

const config = presets.article.transformer;

Deno.test("transformer.init() starts weights normal with 0.02, projections divided by the root of 2L", async () => {
  const { embedding, blocks, head } = transformer.init(config, 1);
  const projection = 0.02 / Math.sqrt(8);
  assertEquals(blocks.length, 4);
  await assertNormal(embedding, [64, 128], 0.02);
  await assertNormal(head, [64, 128], 0.02);
  for (const { attention, feedForward } of blocks) {
    await assertNormal(attention.query, [128, 128], 0.02);
    await assertNormal(attention.key, [128, 128], 0.02);
    await assertNormal(attention.value, [128, 128], 0.02);
    await assertNormal(attention.output, [128, 128], projection);
    await assertNormal(feedForward.up, [512, 128], 0.02);
    await assertNormal(feedForward.down, [128, 512], projection);
  }
});

Deno.test("transformer.init() starts layer normalizations at one, with positions and without biases", async () => {
  const { blocks, lnOut } = transformer.init(config, 1);
  for (const { weight, bias } of [lnOut, ...blocks.flatMap(({ ln1, ln2 }) => [ln1, ln2])]) {
    assertEquals(new Set(await read(weight)), new Set([1]));
    assertEquals(new Set(await read(bias)), new Set([0]));
  }
  for (const { attention } of blocks) {
    assertEquals(
      Object.keys(attention).sort(),
      ["heads", "key", "output", "query", "rotaryBase", "value"],
    );
    assertEquals([attention.heads, attention.rotaryBase], [4, 10_000]);
  }
});

testFailures("transformer.init()", [
  ...["vocabulary", "layers", "channels", "feedForward", "heads"].flatMap((name) =>
    [NaN, 0, -1, 1.5].map((value): Failure => [
      `${name} ${value}`,
      () => transformer.init({ ...config, [name]: value }, 1),
      RangeError,
      `Cannot initialize Transformer: config.${name} must be an integer at least 1, current value is ${value}`,
    ])
  ),
  [
    "heads that don't divide the channels",
    () => transformer.init({ ...config, heads: 5 }, 1),
    RangeError,
    "Cannot initialize Transformer: heads must divide C, current heads is 5 and C is 128",
  ],
  [
    "an odd head size",
    () => transformer.init({ ...config, channels: 12, heads: 4 }, 1),
    RangeError,
    "Cannot initialize Transformer: head size must be even, current channels/heads is 3",
  ],
  [
    "no config",
    () => transformer.init(wrong(undefined), 1),
    TypeError,
    "Cannot initialize Transformer: config must be an object, current value is undefined",
  ],
]);

/** Asserts mean, deviation and tails of a normal distribution, within five standard errors. */
async function assertNormal(t: Tensor, shape: readonly number[], deviation: number): Promise<void> {
  assertEquals(t.shape, shape);
  const z = Array.from(await read(t), (x) => x / deviation);
  const mean = z.reduce((sum, x) => sum + x, 0) / z.length;
  assert(Math.abs(mean) < 5 / Math.sqrt(z.length), `mean ${mean}`);
  const square = z.reduce((sum, x) => sum + x * x, 0) / z.length;
  assert(Math.abs(square - 1) < 5 * Math.sqrt(2 / z.length), `mean square ${square}`);
  const tail = z.filter((x) => Math.abs(x) > 1.96).length / z.length;
  assert(Math.abs(tail - 0.05) < 5 * Math.sqrt(0.05 / z.length), `beyond 1.96: ${tail}`);
}
