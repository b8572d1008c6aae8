import { assertEquals } from "@std/assert";
import { channelMix, channelMixState, put, read, tensor } from "@seqmix/seqmix";
import { type Failure, testFailures, testOnAll, wrong } from "../helpers.ts";
import { channelMixParams, draws } from "../mixers.ts";

testOnAll("channelMixState() is zeros on the parameters' backend", async (backend) => {
  const { shift } = channelMixState(await put(channelMixParams(1), backend), 2);
  assertEquals([shift.backend === backend, shift.shape], [true, [2, 7]]);
  assertEquals(await read(shift), new Float32Array(14));
});

const params = channelMixParams(1);
const x = draws(2, [2, 3, 7]);
const state = channelMixState(params, 2);

testFailures("channelMix()", [
  [
    "x of another width",
    () => channelMix(params, draws(2, [2, 3, 6]), state),
    TypeError,
    "Cannot mix channels: x must be [B, T, 7], current shape is [2, 3, 6]",
  ],
  [
    "x that is no tensor",
    () => channelMix(params, wrong(5), state),
    TypeError,
    "Cannot mix channels: x must be a tensor [B, T, 7], current value is 5",
  ],
  [
    "no step",
    () => channelMix(params, tensor([], [2, 0, 7]), state),
    RangeError,
    "Cannot mix channels: T must be an integer at least 1, current value is 0",
  ],
  [
    "a state of another batch size",
    () => channelMix(params, x, channelMixState(params)),
    TypeError,
    "Cannot mix channels: state.shift must be [2, 7], current shape is [1, 7]",
  ],
  [
    "no mixK",
    () => channelMix(wrong({ ...params, mixK: null }), x, state),
    TypeError,
    "Cannot mix channels: params.mixK must be a tensor [C], current value is null",
  ],
  [
    "mixR of another width",
    () => channelMix({ ...params, mixR: draws(3, [6]) }, x, state),
    TypeError,
    "Cannot mix channels: params.mixR must be [7], current shape is [6]",
  ],
  [
    "key of other inputs",
    () => channelMix({ ...params, key: draws(3, [13, 6]) }, x, state),
    TypeError,
    "Cannot mix channels: params.key must be [F, 7], current shape is [13, 6]",
  ],
  [
    "value of other inputs",
    () => channelMix({ ...params, value: draws(3, [7, 12]) }, x, state),
    TypeError,
    "Cannot mix channels: params.value must be [7, 13], current shape is [7, 12]",
  ],
  [
    "value of other outputs",
    () => channelMix({ ...params, value: draws(3, [6, 13]) }, x, state),
    TypeError,
    "Cannot mix channels: params.value must be [7, 13], current shape is [6, 13]",
  ],
]);

testFailures("channelMixState()", [
  ...[0, 1.5, NaN].map((batch): Failure => [
    `batch ${batch}`,
    () => channelMixState(params, batch),
    RangeError,
    `Cannot make channel-mix state: batch must be an integer at least 1, current value is ${batch}`,
  ]),
]);
