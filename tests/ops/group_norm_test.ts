import { groupNorm, layerNorm, layerNormInit, put, read, tensor } from "@seqmix/seqmix";
import { groupNorm as kernel, groupNormBackward } from "../../src/ops/layer_norm/reference.ts";
import { randomSource } from "../../src/random.ts";
import {
  assertNear,
  assertSame,
  normal,
  randomTensor,
  runKernel,
  testFailures,
  testOnAll,
  wrong,
} from "../helpers.ts";
import { groupNormCases } from "./cases/group_norm.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("groupNorm()", groupNormCases);

testOnAll("groupNorm() of one group is layerNorm()", async (backend) => {
  const params = { weight: randomTensor(1, [13], backend), bias: randomTensor(2, [13], backend) };
  const x = randomTensor(3, [5, 13], backend);
  assertSame(await read(groupNorm(x, params, 1)), await read(layerNorm(x, params)));
});

testOnAll("groupNorm() is layerNorm() of each group", async (backend) => {
  const x = randomTensor(3, [5, 12], backend), rows = tensor(await read(x), [20, 3], backend);
  const [all, one] = await put([layerNormInit({ channels: 12 }), layerNormInit({ channels: 3 })], backend);
  assertNear(await read(groupNorm(x, all, 4)), await read(layerNorm(rows, one)), 1e-6);
});

Deno.test("the kernels of groupNorm write their outputs and nothing else", () => {
  const random = randomSource(2);
  const [x, gy, weight, bias] = [[3, 6], [3, 6], [6], [6]].map((shape) => normal(random, shape).data);
  runKernel(kernel, [18], [x, weight, bias], [3, 6, 2, 1e-5]);
  runKernel(groupNormBackward, [18, 6, 6], [gy, x, weight], [3, 6, 2, 1e-5]);
});

const six = layerNormInit({ channels: 6 }), x = tensor([1, 2, 3, 4, 5, 6], [6]);

testFailures("groupNorm()", [
  [
    "arguments in another order",
    () => groupNorm(wrong(six), wrong(x), 2),
    TypeError,
    "Cannot normalize groups: weight must be a tensor [C], current value is undefined",
  ],
  [
    "x",
    () => groupNorm(tensor([1, 2], [2]), six, 2),
    TypeError,
    "Cannot normalize groups: x must be [..., 6], current shape is [2]",
  ],
  [
    "groups that do not divide",
    () => groupNorm(x, six, 4),
    RangeError,
    "Cannot normalize groups: groups must divide C, current groups is 4 and C is 6",
  ],
  [
    "no group",
    () => groupNorm(x, six, 0),
    RangeError,
    "Cannot normalize groups: groups must be an integer at least 1, current value is 0",
  ],
  [
    "no number of groups",
    () => groupNorm(x, six, wrong(undefined)),
    TypeError,
    "Cannot normalize groups: groups must be a number, current value is undefined",
  ],
  [
    "a negative ε",
    () => groupNorm(x, six, 2, { epsilon: -1 }),
    RangeError,
    "Cannot normalize groups: epsilon must be finite and at least 0, current epsilon is -1",
  ],
  [
    "an unknown option",
    () => groupNorm(x, six, 2, wrong({ eps: 1e-5 })),
    TypeError,
    "Cannot normalize groups: options must have known names (perhaps epsilon), current one is eps",
  ],
]);
