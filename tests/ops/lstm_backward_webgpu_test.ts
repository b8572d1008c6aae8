/**
 * The shaders of the LSTM's gradient by themselves, at widths within a workgroup and beyond; `gradients_test.ts` runs
 * the shared cases.
 */
import { assert, assertEquals } from "@std/assert";
import { lstmRecurrenceBackward as reference } from "../../src/ops/lstm/reference.ts";
import { lstmRecurrenceBackward } from "../../src/ops/lstm/shader_backward.ts";
import { type RandomSource, randomSource } from "../../src/random.ts";
import { assertNear, normal, type Numbers } from "../helpers.ts";
import { testOnGpu, watched } from "./gpu_bench.ts";

/** B, T, C */
type Sizes = readonly [number, number, number];

/** gy, the gradients of the last hidden state and cell, preactivations, hiddenWeight, cell. */
function inputsOf(random: RandomSource, [batch, time, channels]: Sizes): Numbers[] {
  const state = [batch, channels];
  return [
    ...[[batch, time, channels], state, state, [batch, time, 4 * channels]].map((shape) =>
      normal(random, shape)
    ),
    normal(random, [4 * channels, channels], 1 / Math.sqrt(channels)),
    normal(random, state),
  ];
}

function exactly(inputs: readonly Numbers[], sizes: Sizes): Float64Array[] {
  const [gy, gNextHidden, gNextCell, preactivations, hiddenWeight, cell] = inputs.map(({ data }) =>
    Float64Array.from(data)
  );
  const grads = [preactivations, cell, cell].map(({ length }) => new Float64Array(length));
  const [gPreactivations, gHidden, gCell] = grads;
  reference(
    ...[gPreactivations, gHidden, gCell, gy, gNextHidden, gNextCell] as const,
    ...[preactivations, hiddenWeight, cell, ...sizes] as const,
  );
  return grads;
}

testOnGpu("lstmRecurrenceBackward() equals the float64 reference", async (bench, t) => {
  const cases: Sizes[] = [
    [1, 1, 1],
    [3, 65, 1],
    [2, 9, 7],
    [2, 30, 65],
    [3, 17, 128],
    [1, 5, 256],
    [2, 4, 257],
    [1, 3, 513],
    [3, 2, 530],
    [2, 0, 600],
  ];
  for (const [seed, sizes] of cases.entries()) {
    await t.step(sizes.join("×"), async () => {
      const inputs = inputsOf(randomSource(seed), sizes);
      const expected = exactly(inputs, sizes);
      const lengths = expected.map(({ length }) => length);
      const actual = await bench.run(lstmRecurrenceBackward, lengths, inputs, sizes);
      expected.forEach((wanted, i) => assertNear(actual[i], wanted, 1e-5, `gradient ${i}`));
    });
  }
});

testOnGpu("lstmRecurrenceBackward() exceeds the limits of a dispatch and of a loop", async (bench) => {
  for (const sizes of [[1, 60_001, 1], [1, 60, 512]] as const) {
    const inputs = inputsOf(randomSource(1), sizes);
    const expected = exactly(inputs, sizes);
    let dispatches = 0;
    const counting = watched(bench.queue, () => dispatches++);
    const lengths = expected.map(({ length }) => length);
    const actual = await bench.run(lstmRecurrenceBackward, lengths, inputs, sizes, counting);
    assert(dispatches > 4, `${dispatches} dispatches`);
    expected.forEach((wanted, i) => assertNear(actual[i], wanted, 1e-5, `gradient ${i} of ${sizes}`));
  }
});

testOnGpu("lstmRecurrenceBackward() returns NaN where the reference does", async (bench) => {
  const sizes: Sizes = [6, 5, 3];
  const inputs = inputsOf(randomSource(2), sizes);
  // In each input except the weight, each in a sequence of its own; the last sequence has none.
  const places = [[0, 2 * 3], [1, 3], [2, 6], [3, (3 * 5 + 2) * 12 + 4], [5, 12]];
  for (const [input, at] of places) inputs[input].data[at] = NaN;
  const expected = exactly(inputs, sizes);
  const actual = await bench.run(
    lstmRecurrenceBackward,
    expected.map(({ length }) => length),
    inputs,
    sizes,
  );
  const indices = (grads: readonly Float64Array[]) =>
    grads.map((grad) => [...grad.keys()].filter((i) => Number.isNaN(grad[i])));
  assertEquals(indices(actual), indices(expected));
});
