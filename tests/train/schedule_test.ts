import { cosineDecay } from "@seqmix/seqmix";
import fc from "fast-check";
import { assert } from "@std/assert";
import { assertNear, assertSame, testFailures } from "../helpers.ts";

Deno.test("cosineDecay() goes from the peak to the floor along half a cosine", () => {
  const at = [0, 25, 50, 75, 100, 200].map((step) => cosineDecay(step, 100, 2));
  assertNear(at, [2, 1 + Math.SQRT1_2, 1, 1 - Math.SQRT1_2, 0, 0], 1e-15);
  assertNear(
    [cosineDecay(50, 100, 2, { floor: 1 }), cosineDecay(100, 100, 2, { floor: 1 })],
    [1.5, 1],
    1e-15,
  );
});

Deno.test("cosineDecay() rises to the peak during a warm-up", () => {
  const options = { warmup: 4 };
  assertSame([0, 1, 2, 3, 4].map((step) => cosineDecay(step, 8, 1, options)), [0.25, 0.5, 0.75, 1, 1]);
  assertNear([6, 8].map((step) => cosineDecay(step, 8, 1, options)), [0.5, 0], 1e-15);
});

Deno.test("cosineDecay() never rises after the warm-up", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 500 }), fc.nat(499), (total, at) => {
    const step = at % total, warmup = Math.floor(total / 3);
    const [before, after] = [step, step + 1].map((s) => cosineDecay(s, total, 1, { warmup }));
    assert(step < warmup ? after >= before : after <= before);
  }));
});

testFailures("cosineDecay()", [
  [
    "no rate",
    () => cosineDecay(1, 2, undefined as never),
    TypeError,
    "Cannot decay learning rate: peak must be a number, current value is undefined",
  ],
  [
    "step",
    () => cosineDecay(-1, 10, 1),
    RangeError,
    "Cannot decay learning rate: step must be an integer at least 0, current value is -1",
  ],
  [
    "total",
    () => cosineDecay(0, 0, 1),
    RangeError,
    "Cannot decay learning rate: total must be an integer at least 1, current value is 0",
  ],
  [
    "peak",
    () => cosineDecay(0, 1, NaN),
    RangeError,
    "Cannot decay learning rate: peak must be finite and at least 0, current peak is NaN",
  ],
  [
    "warm-up",
    () => cosineDecay(0, 10, 1, { warmup: 11 }),
    RangeError,
    "Cannot decay learning rate: warmup must be an integer from 0 to 10, current value is 11",
  ],
]);
