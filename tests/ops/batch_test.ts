import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { createReference, read, sliceState, stackStates, tensor } from "@seqmix/seqmix";
import { copyRows } from "../../src/ops/batch/reference.ts";
import { assertSame, list, randomTensor, testFailures, testOnAll, wrong } from "../helpers.ts";
import { batchCases } from "./cases/batch.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("stackStates() and sliceState()", batchCases);

testOnAll("sliceState() is the inverse of stackStates()", async (backend) => {
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 4 }),
    fc.array(fc.nat(5), { maxLength: 3 }),
    async (sessions, rest) => {
      const states = Array.from({ length: sessions }, (_, i) => ({
        heads: 2,
        blocks: [{ shift: randomTensor(i, [1, ...rest], backend) }, {
          shift: randomTensor(9 + i, [1, 3], backend),
        }],
      }));
      const whole = stackStates(states);
      assertEquals(whole.blocks[0].shift.shape, [sessions, ...rest]);
      for (const [i, state] of states.entries()) {
        const part = sliceState(whole, i);
        assertEquals(part.heads, 2);
        for (const [block, { shift }] of part.blocks.entries()) {
          assertEquals(shift.shape, state.blocks[block].shift.shape);
          assertSame(await read(shift), await read(state.blocks[block].shift));
        }
      }
    },
  );
  await fc.assert(property, { numRuns: 30, seed: 1 });
});

Deno.test("stackStates() matches parts by name, in any order", async () => {
  const a = tensor([1], [1, 1]), b = tensor([2], [1, 1]);
  const { hidden, cell } = stackStates([{ hidden: a, cell: b }, { cell: b, hidden: a }]);
  assertSame(await read(hidden), [1, 1]);
  assertSame(await read(cell), [2, 2]);
});

Deno.test("copyRows writes its rows and nothing else", () => {
  const x = list([1, 2, 3, 4, 5, 6, 7, 8, 9]).data;
  const y = new Float32Array(12).fill(-1);
  copyRows(y, 1, 5, x, 2, 3, 2, 2);
  assertSame(y, [-1, 3, 4, -1, -1, -1, 6, 7, -1, -1, -1, -1]);
  assertSame(x, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

const one = tensor([1, 2], [1, 2]), other = tensor([1, 2, 3], [1, 3]);
const elsewhere = createReference();
const freed = tensor([1], [1, 1]);
freed.backend.free(freed);
const dead = (action: string) =>
  `Cannot ${action}: tensor must be alive, current tensor of shape [1, 1] on reference was freed`;

testFailures("stackStates()", [
  [
    "no state",
    () => stackStates([]),
    TypeError,
    "Cannot stack states: states must be at least one, current value is an array of length 0",
  ],
  [
    "no list",
    () => stackStates(wrong({ hidden: one })),
    TypeError,
    "Cannot stack states: states must be at least one, current value is an object (Object)",
  ],
  [
    "shapes",
    () => stackStates([{ a: [one] }, { a: [other] }]),
    TypeError,
    "Cannot stack states: state.a.0 must be [B, 2] in every state, current shape is [1, 3]",
  ],
  [
    "a number for a tensor",
    () => stackStates<unknown>([{ a: one }, { a: 1 }]),
    TypeError,
    "Cannot stack states: state.a must be [B, 2] in every state, current value is 1",
  ],
  [
    "tensors without an axis",
    () => stackStates([tensor([1], [])]),
    TypeError,
    "Cannot stack states: state must be [B] in every state, current shape is []",
  ],
  [
    "parts",
    () => stackStates<unknown>([{ a: one, b: one }, { a: one, c: one }]),
    TypeError,
    "Cannot stack states: state must have the same parts in every state (a, b), current value is a, c",
  ],
  [
    "a part too many",
    () => stackStates<unknown>([{ a: one }, { a: one, b: one }]),
    TypeError,
    "Cannot stack states: state must have the same parts in every state (a), current value is a, b",
  ],
  [
    "a tensor for a branch",
    () => stackStates<unknown>([{ a: { b: one } }, { a: one }]),
    TypeError,
    "Cannot stack states: state.a must have the same parts in every state (b), current value is a tensor of " +
    "shape [1, 2]",
  ],
  [
    "another number of heads",
    () => stackStates([{ heads: 2 }, { heads: 4 }]),
    TypeError,
    "Cannot stack states: state.heads must be the same in every state, current values are 2 and 4",
  ],
  [
    "backends",
    () => stackStates([{ a: one }, { a: tensor([1, 2], [1, 2], elsewhere) }]),
    TypeError,
    "Cannot stack states: all tensors must live on one backend (move them with put), current state.a of state 0 " +
    "lives on reference and state.a of state 1 on another reference",
  ],
  ["freed", () => stackStates([freed, freed]), TypeError, dead("stack states")],
]);

testFailures("sliceState()", [
  [
    "past the batch",
    () => sliceState({ a: tensor([1, 2], [2, 1]) }, 2),
    RangeError,
    "Cannot slice state: index must be an integer from 0 to 1, current value is 2",
  ],
  [
    "negative",
    () => sliceState(one, -1),
    RangeError,
    "Cannot slice state: index must be an integer from 0 to 0, current value is -1",
  ],
  [
    "NaN",
    () => sliceState(one, NaN),
    RangeError,
    "Cannot slice state: index must be an integer from 0 to 0, current value is NaN",
  ],
  [
    "not a number",
    () => sliceState(one, wrong("0")),
    TypeError,
    'Cannot slice state: index must be a number, current value is "0"',
  ],
  ["freed", () => sliceState(freed, 0), TypeError, dead("slice state")],
]);
