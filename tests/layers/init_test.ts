import { assert, assertEquals } from "@std/assert";
import {
  channelMixInit,
  layerNormInit,
  linearInit,
  lstmInit,
  lstmModel,
  multiHeadAttentionInit,
  presets,
  read,
  readFloat64,
  rwkv,
  type Tensor,
  timeMixInit,
  transformer,
} from "@seqmix/seqmix";
import { tensorsOf } from "../../src/tree.ts";
import { assertNear, assertSame, testFailures, wrong } from "../helpers.ts";

/** Σ (i mod 97 + 1)·x_i over all tensors. */
async function sumOf(params: unknown): Promise<number> {
  let sum = 0;
  for (const t of tensorsOf(params)) (await readFloat64(t)).forEach((x, i) => sum += x * (i % 97 + 1));
  return sum;
}

Deno.test("init() of the models gives the values that it always gave", async () => {
  const models = [[rwkv, presets.matched.rwkv], [transformer, presets.matched.transformer], [
    lstmModel,
    presets.matched.lstm,
  ]] as const;
  const sums = [];
  for (const [model, config] of models) sums.push(await sumOf(model.init(config as never, 1)));
  assertNear(sums, [11780.183952982308, 4915.161975065597, 9009.941445399916], 1e-9);
});

async function assertAlike(actual: unknown, expected: unknown, without: readonly string[] = []) {
  const names = Object.keys(expected as object);
  assertEquals(Object.keys(actual as object), names);
  for (const name of names) {
    const a = (actual as Record<string, Tensor>)[name], b = (expected as Record<string, Tensor>)[name];
    if (typeof b === "number") assertEquals(a, b);
    else {
      assertEquals(a.shape, b.shape, name);
      if (!without.includes(name)) assertSame(await read(a), await read(b), name);
    }
  }
}

Deno.test("timeMixInit() and channelMixInit() give what a block of rwkv starts with", async () => {
  const config = presets.matched.rwkv, { layers, channels, feedForward } = config;
  const { blocks } = rwkv.init(config, 1);
  for (const [layer, block] of blocks.entries()) {
    // The matrices that are drawn depend on what was drawn before them.
    await assertAlike(timeMixInit({ channels, layer, layers }, 1), block.timeMix, ["value"]);
    await assertAlike(channelMixInit({ channels, feedForward, layer, layers }, 1), block.channelMix, ["key"]);
  }
  await assertAlike(timeMixInit({ channels }, 1), timeMixInit({ channels, layer: 0, layers: 1 }, 1));
});

Deno.test("lstmInit(), multiHeadAttentionInit() and linearInit() have the models' forms, ranges and deviations", async () => {
  const { channels } = presets.matched.lstm, [layer] = lstmModel.init(presets.matched.lstm, 1).layers;
  const drawn = ["inputWeight", "hiddenWeight"] as const;
  const own = lstmInit({ inputs: channels, channels }, 1);
  await assertAlike(own, layer, drawn);
  for (const name of drawn) {
    const numbers = await read(own[name]), bound = 1 / Math.sqrt(channels);
    assert(numbers.every((x) => Math.abs(x) <= bound) && numbers.some((x) => Math.abs(x) > 0.99 * bound));
  }
  assertEquals(lstmInit({ inputs: 3, channels: 2 }, 1).inputWeight.shape, [8, 3]);

  const { channels: C, heads, layers } = presets.matched.transformer;
  const [block] = transformer.init(presets.matched.transformer, 1).blocks;
  const attention = multiHeadAttentionInit({ channels: C, heads, layers, rotaryBase: 10_000 }, 1);
  await assertAlike(attention, block.attention, ["query", "key", "value", "output"]);
  const deviation = async (t: Tensor) => {
    const numbers = await read(t);
    return Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length);
  };
  assertNear([await deviation(attention.query)], [0.02], 0.1);
  assertNear([await deviation(attention.output)], [0.02 / Math.sqrt(2 * layers)], 0.1);
  assert(!("rotaryBase" in multiHeadAttentionInit({ channels: 6, heads: 2 }, 1)));

  const { weight, bias } = linearInit({ inputs: 16, outputs: 64, bias: true }, 1);
  assertEquals([weight.shape, bias?.shape], [[64, 16], [64]]);
  assert((await read(weight)).every((x) => Math.abs(x) <= 0.25));
  assertSame(await read(bias!), new Array(64).fill(0));
  assertEquals(Object.keys(linearInit({ inputs: 1, outputs: 1 }, 1)), ["weight"]);
});

Deno.test("the starts of layers depend on the seed alone", async () => {
  for (
    const init of [
      (seed: number) => linearInit({ inputs: 3, outputs: 5 }, seed),
      (seed: number) => lstmInit({ inputs: 3, channels: 5 }, seed),
      (seed: number) => timeMixInit({ channels: 5 }, seed),
      (seed: number) => channelMixInit({ channels: 5, feedForward: 7 }, seed),
      (seed: number) => multiHeadAttentionInit({ channels: 6, heads: 2 }, seed),
    ]
  ) {
    const [first, again, other] = [await sumOf(init(1)), await sumOf(init(1)), await sumOf(init(2))];
    assertEquals(first, again);
    assert(first !== other);
  }
});

Deno.test("layerNormInit() changes neither scale nor mean", async () => {
  const { weight, bias } = layerNormInit({ channels: 3 });
  assertSame(await read(weight), [1, 1, 1]);
  assertSame(await read(bias), [0, 0, 0]);
});

testFailures("the starts of layers", [
  [
    "an unknown size",
    () => lstmInit(wrong({ inputs: 3, channel: 3 }), 1),
    TypeError,
    "Cannot initialize LSTM layer: sizes must have known names (perhaps channels), current one is channel",
  ],
  [
    "a missing size",
    () => linearInit(wrong({ inputs: 3 }), 1),
    TypeError,
    "Cannot initialize linear layer: sizes.outputs must be a number, current value is undefined",
  ],
  [
    "a bias that is no boolean",
    () => linearInit(wrong({ inputs: 3, outputs: 1, bias: 0 }), 1),
    TypeError,
    "Cannot initialize linear layer: sizes.bias must be a boolean, current value is 0",
  ],
  [
    "a size of 0",
    () => layerNormInit({ channels: 0 }),
    RangeError,
    "Cannot initialize layer norm: sizes.channels must be an integer at least 1, current value is 0",
  ],
  [
    "a layer beyond the last",
    () => timeMixInit({ channels: 3, layer: 2, layers: 2 }, 1),
    RangeError,
    "Cannot initialize time-mix: sizes.layer must be an integer from 0 to 1, current value is 2",
  ],
  [
    "no layers",
    () => channelMixInit({ channels: 3, feedForward: 3, layers: 0 }, 1),
    RangeError,
    "Cannot initialize channel-mix: sizes.layers must be an integer at least 1, current value is 0",
  ],
  [
    "heads that do not divide channels",
    () => multiHeadAttentionInit({ channels: 5, heads: 2 }, 1),
    RangeError,
    "Cannot initialize attention: heads must divide C, current heads is 2 and C is 5",
  ],
  [
    "odd heads that are to be turned",
    () => multiHeadAttentionInit({ channels: 6, heads: 2, rotaryBase: 10_000 }, 1),
    RangeError,
    "Cannot initialize attention: head size must be even, current channels/heads is 3",
  ],
  [
    "a base of 0",
    () => multiHeadAttentionInit({ channels: 4, heads: 2, rotaryBase: 0 }, 1),
    RangeError,
    "Cannot initialize attention: sizes.rotaryBase must be above 0, current value is 0",
  ],
  [
    "a seed that is no integer",
    () => timeMixInit({ channels: 4 }, 0.5),
    RangeError,
    "Cannot make a random source: seed must be an integer at least 0, current value is 0.5",
  ],
]);
