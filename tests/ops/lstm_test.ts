import fc from "fast-check";
import { createReference, lstmRecurrence, read, readFloat64, tensor } from "@seqmix/seqmix";
import { lstmRecurrence as kernel } from "../../src/ops/lstm/reference.ts";
import { randomSource } from "../../src/random.ts";
import { assertNear, assertSame, normal, runKernel, testFailures, testOnAll, wrong } from "../helpers.ts";
import { lstmCases } from "./cases/lstm.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("lstmRecurrence()", lstmCases);

Deno.test("lstmRecurrence() has its gates in the order i, f, g, o", async () => {
  using backend = createReference({ precision: "float64" });
  const put = (data: number[], ...shape: number[]) => tensor(data, shape, backend);
  const step = async (...gates: number[]) => {
    const start = { hidden: put([0], 1, 1), cell: put([0.5], 1, 1) };
    const { y, state } = lstmRecurrence(put(gates, 1, 1, 4), put([0, 0, 0, 0], 4, 1), start);
    return [...await readFloat64(y), ...await readFloat64(state.hidden), ...await readFloat64(state.cell)];
  };
  const shut = -1000, open = 1000;
  const [half, one, more] = [0.5, 1, 1.5].map(Math.tanh);
  assertNear(await step(shut, shut, open, open), [0, 0, 0], 1e-12, "nothing taken in or kept");
  assertNear(await step(shut, open, open, open), [half, half, 0.5], 1e-12, "the cell kept");
  assertNear(await step(open, shut, open, open), [one, one, 1], 1e-12, "the candidate taken in");
  assertNear(await step(open, open, open, open), [more, more, 1.5], 1e-12, "both");
  assertNear(await step(open, open, -open, open), [-half, -half, -0.5], 1e-12, "a candidate of -1");
  assertNear(await step(open, open, open, shut), [0, 0, 1.5], 1e-12, "nothing put out");
});

Deno.test("lstmRecurrence() equals two steps computed by hand", async () => {
  using backend = createReference({ precision: "float64" });
  const put = (data: number[], ...shape: number[]) => tensor(data, shape, backend);
  // σ(ln 3) = 3/4, σ(ln 2) = 2/3, tanh(ln 2) = 3/5, σ(0) = 1/2; then the hidden weight subtracts h from o again.
  const [ln2, ln3] = [Math.log(2), Math.log(3)];
  const hidden = 0.75 * Math.tanh(0.5 * 0.4 + 2 / 3 * 0.6);
  const gates = [...[ln2, 0, ln2, ln3], ...[ln2, 0, ln2, -2 * hidden]];
  const start = { hidden: put([0], 1, 1), cell: put([0.4], 1, 1) };
  const { y, state } = lstmRecurrence(put(gates, 1, 2, 4), put([0, 0, 0, 2], 4, 1), start);
  const cell = 0.5 * (0.5 * 0.4 + 0.4) + 0.4;
  assertNear(await readFloat64(y), [hidden, 0.5 * Math.tanh(cell)], 1e-12);
  assertNear(await readFloat64(state.cell), [cell], 1e-12);
});

Deno.test("lstmRecurrence() uses row g of the hidden weight for gate g", async () => {
  using backend = createReference({ precision: "float64" });
  const put = (data: number[], ...shape: number[]) => tensor(data, shape, backend);
  const weight = new Array(16).fill(0);
  weight[4 * 2 + 1] = Math.log(2); // from the second channel to the candidate of the first
  const gates = put([...[1000, 1000], ...[-1000, -1000], ...[0, 0], ...[1000, 1000]], 1, 1, 8);
  const start = { hidden: put([5, 1], 1, 2), cell: put([7, 7], 1, 2) };
  const { state } = lstmRecurrence(gates, put(weight, 8, 2), start);
  assertNear(await readFloat64(state.cell), [0.6, 0], 1e-12);
});

testOnAll("lstmRecurrence() may be split anywhere", async (backend) => {
  const size = fc.integer({ min: 1, max: 7 });
  const property = fc.asyncProperty(size, size, size, fc.nat(), async (before, after, channels, seed) => {
    const random = randomSource(seed),
      put = (...shape: number[]) => {
        return tensor(normal(random, shape).data, shape, backend);
      };
    const weight = put(4 * channels, channels);
    const start = { hidden: put(1, channels), cell: put(1, channels) };
    const gates = put(1, before + after, 4 * channels), values = await read(gates);
    const cut = 4 * channels * before;
    const whole = lstmRecurrence(gates, weight, start);
    const head = lstmRecurrence(
      tensor(values.slice(0, cut), [1, before, 4 * channels], backend),
      weight,
      start,
    );
    const rest = tensor(values.slice(cut), [1, after, 4 * channels], backend);
    const tail = lstmRecurrence(rest, weight, head.state);
    assertNear([...await read(head.y), ...await read(tail.y)], await read(whole.y), 1e-5, "y");
    assertNear(await read(tail.state.hidden), await read(whole.state.hidden), 1e-5, "hidden");
    assertNear(await read(tail.state.cell), await read(whole.state.cell), 1e-5, "cell");
  });
  await fc.assert(property, { numRuns: 50, seed: 1 });
});

Deno.test("the lstmRecurrence kernel writes its outputs and nothing else", () => {
  const random = randomSource(1);
  const [gates, weight, hidden, cell] = [[2, 3, 20], [20, 5], [2, 5], [2, 5]].map((shape) =>
    normal(random, shape).data
  );
  const outputs = runKernel(kernel, [30, 10, 10], [gates, weight, hidden, cell], [2, 3, 5]);
  const second = runKernel(
    kernel,
    [15, 5, 5],
    [gates.slice(60), weight, hidden.slice(5), cell.slice(5)],
    [1, 3, 5],
  );
  second.forEach((output, i) => assertSame(outputs[i].slice(output.length), output, `output ${i}`));
  const [, still, kept] = runKernel(kernel, [0, 10, 10], [new Float32Array(), weight, hidden, cell], [
    2,
    0,
    5,
  ]);
  assertSame([...still, ...kept], [...hidden, ...cell], "state after no step");
});

const gates = tensor(new Float32Array(16), [1, 2, 8]), weight = tensor(new Float32Array(16), [8, 2]);
const state = { hidden: tensor([0, 0], [1, 2]), cell: tensor([0, 0], [1, 2]) };
const two = tensor(new Float32Array(4), [2, 2]);
const elsewhere = createReference();

testFailures("lstmRecurrence()", [
  [
    "gates not a tensor",
    () => lstmRecurrence(wrong(3), weight, state),
    TypeError,
    "Cannot run LSTM recurrence: gates must be a tensor [B, T, 8], current value is 3",
  ],
  [
    "gates",
    () => lstmRecurrence(tensor(new Float32Array(4), [1, 1, 4]), weight, state),
    TypeError,
    "Cannot run LSTM recurrence: gates must be [B, T, 8], current shape is [1, 1, 4]",
  ],
  [
    "weight no matrix",
    () => lstmRecurrence(gates, gates, state),
    TypeError,
    "Cannot run LSTM recurrence: hiddenWeight must be [4C, C], current shape is [1, 2, 8]",
  ],
  [
    "weight not four times as high as wide",
    () => lstmRecurrence(gates, two, state),
    TypeError,
    "Cannot run LSTM recurrence: hiddenWeight must be [8, 2], current shape is [2, 2]",
  ],
  [
    "hidden of another batch",
    () => lstmRecurrence(gates, weight, { ...state, hidden: two }),
    TypeError,
    "Cannot run LSTM recurrence: state.hidden must be [1, 2], current shape is [2, 2]",
  ],
  [
    "cell of another batch",
    () => lstmRecurrence(gates, weight, { ...state, cell: two }),
    TypeError,
    "Cannot run LSTM recurrence: state.cell must be [1, 2], current shape is [2, 2]",
  ],
  [
    "no cell",
    () => lstmRecurrence(gates, weight, wrong({ hidden: state.hidden })),
    TypeError,
    "Cannot run LSTM recurrence: state.cell must be a tensor [1, 2], current value is undefined",
  ],
  [
    "backends",
    () => lstmRecurrence(gates, weight, { ...state, cell: tensor([0, 0], [1, 2], elsewhere) }),
    TypeError,
    "Cannot run LSTM recurrence: all tensors must live on one backend (move them with put), current gates lives " +
    "on reference and state.cell on another reference",
  ],
]);
