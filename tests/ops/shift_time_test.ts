import fc from "fast-check";
import { createReference, lastStep, read, shiftTime, tensor } from "@seqmix/seqmix";
import {
  lastStep as lastStepKernel,
  shiftTime as shiftTimeKernel,
} from "../../src/ops/shift_time/reference.ts";
import { assertSame, list, randomTensor, runKernel, testFailures, testOnAll, wrong } from "../helpers.ts";
import { lastStepCases, shiftTimeCases } from "./cases/shift_time.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("shiftTime()", shiftTimeCases);
runOnAll("lastStep()", lastStepCases);

const sizes = fc.tuple(
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 1, max: 5 }),
);

testOnAll("lastStep() returns what shiftTime() drops", async (backend) => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(), async ([batch, time, channels], seed) => {
      const x = randomTensor(seed, [batch, time, channels], backend);
      const first = randomTensor(seed + 1, [batch, channels], backend);
      const shifted = await read(shiftTime(x, first)), last = await read(lastStep(x));
      const values = await read(x), before = await read(first);
      for (let b = 0; b < batch; b++) {
        const at = b * time * channels, end = at + time * channels;
        const row = (all: Float32Array) => all.slice(b * channels, (b + 1) * channels);
        assertSame([...shifted.slice(at, end), ...row(last)], [...row(before), ...values.slice(at, end)]);
      }
    }),
    { numRuns: 30, seed: 1 },
  );
});

Deno.test("the shiftTime and lastStep kernels write their outputs and nothing else", () => {
  const x = list([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]).data, first = list([-1, -2, -3, -4]).data;
  assertSame(runKernel(shiftTimeKernel, [12], [x, first], [2, 3, 2])[0], [
    ...[-1, -2, 1, 2, 3, 4],
    ...[-3, -4, 7, 8, 9, 10],
  ]);
  assertSame(runKernel(shiftTimeKernel, [0], [list([]).data, first], [2, 0, 2])[0], []);
  assertSame(runKernel(lastStepKernel, [4], [x], [2, 3, 2])[0], [5, 6, 11, 12]);
});

const x = tensor([1, 2, 3, 4, 5, 6], [1, 3, 2]), first = tensor([1, 2], [1, 2]);
const elsewhere = createReference();

testFailures("shiftTime()", [
  [
    "x not a tensor",
    () => shiftTime(wrong({}), first),
    TypeError,
    "Cannot shift time: x must be a tensor [B, T, C], current value is an object (Object)",
  ],
  [
    "x",
    () => shiftTime(first, first),
    TypeError,
    "Cannot shift time: x must be [B, T, C], current shape is [1, 2]",
  ],
  [
    "first",
    () => shiftTime(x, x),
    TypeError,
    "Cannot shift time: first must be [1, 2], current shape is [1, 3, 2]",
  ],
  [
    "another batch",
    () => shiftTime(x, tensor([1, 2, 3, 4], [2, 2])),
    TypeError,
    "Cannot shift time: first must be [1, 2], current shape is [2, 2]",
  ],
  [
    "backends",
    () => shiftTime(x, tensor([1, 2], [1, 2], elsewhere)),
    TypeError,
    "Cannot shift time: all tensors must live on one backend (move them with put), current x lives on reference " +
    "and first on another reference",
  ],
]);

testFailures("lastStep()", [
  [
    "x",
    () => lastStep(first),
    TypeError,
    "Cannot take last step: x must be [B, T, C], current shape is [1, 2]",
  ],
  [
    "no step",
    () => lastStep(tensor([], [2, 0, 3])),
    RangeError,
    "Cannot take last step: T must be at least 1, current T is 0",
  ],
]);
