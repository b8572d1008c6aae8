import { assertEquals } from "@std/assert";
import { createReference, put, read, tensor, timeMix, timeMixState } from "@seqmix/seqmix";
import { type Failure, testFailures, testOnAll, wrong } from "../helpers.ts";
import { draws, timeMixParams } from "../mixers.ts";

testOnAll("timeMixState() is zeros and an initial wkv state, on the parameters' backend", async (backend) => {
  const { shift, wkv } = timeMixState(await put(timeMixParams(1), backend), 2);
  assertEquals([shift.backend === backend, wkv.backend === backend], [true, true]);
  assertEquals([shift.shape, wkv.shape], [[2, 7], [2, 4, 7]]);
  assertEquals(await read(shift), new Float32Array(14));
  const expected = new Float32Array(56);
  expected.fill(-1e38, 14, 21).fill(-1e38, 42, 49);
  assertEquals(await read(wkv), expected);
});

const params = timeMixParams(1);
const x = draws(2, [2, 3, 7]);
const state = timeMixState(params, 2);

testFailures("timeMix()", [
  [
    "x of another width",
    () => timeMix(params, draws(2, [2, 3, 6]), state),
    TypeError,
    "Cannot mix time: x must be [B, T, 7], current shape is [2, 3, 6]",
  ],
  [
    "x without time",
    () => timeMix(params, draws(2, [2, 7]), state),
    TypeError,
    "Cannot mix time: x must be [B, T, 7], current shape is [2, 7]",
  ],
  [
    "x that is no tensor",
    () => timeMix(params, wrong([1, 2]), state),
    TypeError,
    "Cannot mix time: x must be a tensor [B, T, 7], current value is an array of length 2",
  ],
  [
    "no step",
    () => timeMix(params, tensor([], [2, 0, 7]), state),
    RangeError,
    "Cannot mix time: T must be an integer at least 1, current value is 0",
  ],
  [
    "a state of another batch size",
    () => timeMix(params, x, timeMixState(params, 3)),
    TypeError,
    "Cannot mix time: state.shift must be [2, 7], current shape is [3, 7]",
  ],
  [
    "a scan of another batch size",
    () => timeMix(params, x, { ...state, wkv: timeMixState(params).wkv }),
    TypeError,
    "Cannot mix time: state.wkv must be [2, 4, 7], current shape is [1, 4, 7]",
  ],
  [
    "a state of another layer",
    () => timeMix(params, x, wrong({ hidden: state.shift })),
    TypeError,
    "Cannot mix time: state.shift must be a tensor [2, 7], current value is undefined",
  ],
  [
    "no decay",
    () => timeMix(wrong({ ...params, decay: undefined }), x, state),
    TypeError,
    "Cannot mix time: params.decay must be a tensor [C], current value is undefined",
  ],
  ...["mixK", "mixV", "mixR"].map((name): Failure => [
    `${name} of another width`,
    () => timeMix({ ...params, [name]: draws(3, [6]) }, x, state),
    TypeError,
    `Cannot mix time: params.${name} must be [7], current shape is [6]`,
  ]),
  ...["key", "value", "receptance", "output"].map((name): Failure => [
    `${name} of other inputs`,
    () => timeMix({ ...params, [name]: draws(3, [7, 6]) }, x, state),
    TypeError,
    `Cannot mix time: params.${name} must be [7, 7], current shape is [7, 6]`,
  ]),
  [
    "parameters on another backend",
    () => timeMix({ ...params, value: tensor(new Float32Array(49), [7, 7], createReference()) }, x, state),
    TypeError,
    "Cannot mix time: all tensors must live on one backend (move them with put), current x lives on reference and " +
    "params.value on another reference",
  ],
  [
    "bonus of another width",
    () => timeMix({ ...params, bonus: draws(3, [6]) }, x, state),
    TypeError,
    "Cannot mix time: params.bonus must be [7], current shape is [6]",
  ],
]);

testFailures("timeMixState()", [
  ...[0, 1.5, NaN].map((batch): Failure => [
    `batch ${batch}`,
    () => timeMixState(params, batch),
    RangeError,
    `Cannot make time-mix state: batch must be an integer at least 1, current value is ${batch}`,
  ]),
]);
