import { assertEquals } from "@std/assert";
import { lstm, lstmState, put, read } from "@seqmix/seqmix";
import { type Failure, testFailures, testOnAll, wrong } from "../helpers.ts";
import { draws, lstmParams } from "../mixers.ts";

testOnAll("lstmState() is zeros on the parameters' backend", async (backend) => {
  const { hidden, cell } = lstmState(await put(lstmParams(1), backend), 2);
  for (const t of [hidden, cell]) {
    assertEquals([t.backend === backend, t.shape], [true, [2, 7]]);
    assertEquals(await read(t), new Float32Array(14));
  }
});

testOnAll("lstm() returns its last output as the hidden state", async (backend) => {
  const params = await put(lstmParams(1), backend);
  const { y, state } = lstm(params, await put(draws(2, [2, 4, 5]), backend), lstmState(params, 2));
  assertEquals(y.shape, [2, 4, 7]);
  const values = await read(y);
  assertEquals(await read(state.hidden), Float32Array.of(...values.slice(21, 28), ...values.slice(49, 56)));
});

const params = lstmParams(1);
const x = draws(2, [2, 3, 5]);
const state = lstmState(params, 2);

testFailures("lstm()", [
  [
    "x of another width",
    () => lstm(params, draws(2, [2, 3, 7]), state),
    TypeError,
    "Cannot run LSTM: x must be [B, T, 5], current shape is [2, 3, 7]",
  ],
  [
    "x that is no tensor",
    () => lstm(params, wrong("x"), state),
    TypeError,
    'Cannot run LSTM: x must be a tensor [B, T, 5], current value is "x"',
  ],
  [
    "a hidden state of another batch size",
    () => lstm(params, x, lstmState(params)),
    TypeError,
    "Cannot run LSTM: state.hidden must be [2, 7], current shape is [1, 7]",
  ],
  [
    "a cell of another batch size",
    () => lstm(params, x, { ...state, cell: lstmState(params, 3).cell }),
    TypeError,
    "Cannot run LSTM: state.cell must be [2, 7], current shape is [3, 7]",
  ],
  [
    "an input weight that is no matrix",
    () => lstm({ ...params, inputWeight: draws(3, [28]) }, x, state),
    TypeError,
    "Cannot run LSTM: params.inputWeight must be [4C, I], current shape is [28]",
  ],
  [
    "a hidden weight of other gates",
    () => lstm({ ...params, hiddenWeight: draws(3, [27, 7]) }, x, state),
    TypeError,
    "Cannot run LSTM: params.hiddenWeight must be [28, C], current shape is [27, 7]",
  ],
  [
    "gates that are not four a channel",
    () =>
      lstm({ ...params, hiddenWeight: draws(3, [28, 6]) }, x, {
        hidden: draws(3, [2, 6]),
        cell: draws(3, [2, 6]),
      }),
    TypeError,
    "Cannot run LSTM recurrence: hiddenWeight must be [24, 6], current shape is [28, 6]",
  ],
  [
    "a bias of other gates",
    () => lstm({ ...params, bias: draws(3, [7]) }, x, state),
    TypeError,
    "Cannot run LSTM: params.bias must be [28], current shape is [7]",
  ],
  ...[null, undefined].map((bias): Failure => [
    `a bias of ${bias}`,
    () => lstm(wrong({ ...params, bias }), x, state),
    TypeError,
    `Cannot run LSTM: params.bias must be a tensor [28], current value is ${bias}`,
  ]),
]);

testFailures("lstmState()", [
  ...[0, 1.5, NaN].map((batch): Failure => [
    `batch ${batch}`,
    () => lstmState(params, batch),
    RangeError,
    `Cannot make LSTM state: batch must be an integer at least 1, current value is ${batch}`,
  ]),
]);
