import { assert, assertEquals } from "@std/assert";
import { lstmModel, presets, read, type Tensor } from "@seqmix/seqmix";
import { type Failure, testFailures, wrong } from "../helpers.ts";

const config = presets.matched.lstm;

Deno.test("lstmModel.init() starts the embedding N(0, 1), as PyTorch does", async () => {
  const { embedding } = lstmModel.init(config, 1);
  assertEquals(embedding.shape, [64, 38]);
  const z = Array.from(await read(embedding));
  const moment = (power: number) => z.reduce((sum, x) => sum + x ** power, 0) / z.length;
  // Within five standard errors of the moments of a standard normal distribution: 0, 1 and 3.
  assert(Math.abs(moment(1)) < 5 / Math.sqrt(z.length), `mean ${moment(1)}`);
  assert(Math.abs(moment(2) - 1) < 5 * Math.sqrt(2 / z.length), `mean square ${moment(2)}`);
  assert(Math.abs(moment(4) - 3) < 5 * Math.sqrt(96 / z.length), `mean fourth power ${moment(4)}`);
});

Deno.test("lstmModel.init() starts weights uniform within one over the root of C", async () => {
  const { layers, head } = lstmModel.init(config, 1);
  assertEquals(layers.length, 4);
  await assertUniform(head, [64, 38], 1 / Math.sqrt(38));
  for (const { inputWeight, hiddenWeight } of layers) {
    await assertUniform(inputWeight, [152, 38], 1 / Math.sqrt(38));
    await assertUniform(hiddenWeight, [152, 38], 1 / Math.sqrt(38));
  }
});

Deno.test("lstmModel.init() starts the forget gate's bias at 1, the others at 0", async () => {
  for (const { bias } of lstmModel.init({ vocabulary: 3, layers: 2, channels: 2 }, 1).layers) {
    assertEquals(await read(bias), Float32Array.of(0, 0, 1, 1, 0, 0, 0, 0));
  }
});

testFailures("lstmModel.init()", [
  ...["vocabulary", "layers", "channels"].flatMap((name) =>
    [NaN, 0, -1, 1.5].map((value): Failure => [
      `${name} ${value}`,
      () => lstmModel.init({ ...config, [name]: value }, 1),
      RangeError,
      `Cannot initialize LSTM: config.${name} must be an integer at least 1, current value is ${value}`,
    ])
  ),
  [
    "a string as config",
    () => lstmModel.init(wrong("small"), 1),
    TypeError,
    'Cannot initialize LSTM: config must be an object, current value is "small"',
  ],
]);

/** Asserts the bound, and mean and deviation of a uniform distribution, the latter within five standard errors. */
async function assertUniform(t: Tensor, shape: readonly number[], bound: number): Promise<void> {
  assertEquals(t.shape, shape);
  const u = Array.from(await read(t), (x) => x / bound);
  const largest = Math.max(...u.map(Math.abs));
  assert(largest <= 1 + 1e-7 && largest > 0.98, `largest ${largest}`);
  const mean = u.reduce((sum, x) => sum + x, 0) / u.length;
  assert(Math.abs(mean) < 5 * Math.sqrt(1 / 3 / u.length), `mean ${mean}`);
  const square = u.reduce((sum, x) => sum + x * x, 0) / u.length;
  assert(Math.abs(square - 1 / 3) < 5 * Math.sqrt(4 / 45 / u.length), `mean square ${square}`);
}
