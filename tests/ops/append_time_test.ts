import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  add,
  appendTime,
  type Backend,
  createReference,
  lastStep,
  linear,
  read,
  sliceState,
  stackStates,
  type Tensor,
  tensor,
} from "@seqmix/seqmix";
import { assertNear, assertSame, list, randomTensor, testFailures, testOnAll, wrong } from "../helpers.ts";
import { appendTimeCases } from "./cases/append_time.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("appendTime()", appendTimeCases);

/** Two sequences with one channel: the first counts from `from`, the second from 100 + `from`. */
function counting(backend: Backend, from: number, steps: number): Tensor {
  return tensor(counted(from, steps), [2, steps, 1], backend);
}

function counted(from: number, steps: number): number[] {
  return [0, 100].flatMap((start) => Array.from({ length: steps }, (_, i) => start + from + i));
}

testOnAll("appendTime() step by step equals all at once, beyond every capacity", async (backend) => {
  let past = backend.reserveTime(2, 3, 1);
  for (let i = 0; i < 130; i++) past = appendTime(past, counting(backend, i, 1));
  assertEquals(past.shape, [2, 130, 1]);
  assertSame(await read(past), counted(0, 130));
});

testOnAll("appendTime() twice from one state leaves that state unchanged", async (backend) => {
  const kept = appendTime(counting(backend, 0, 5), counting(backend, 5, 2));
  const once = appendTime(kept, counting(backend, 7, 2)), twice = appendTime(kept, counting(backend, 50, 2));
  const further = appendTime(once, counting(backend, 9, 1));
  assertSame(await read(kept), counted(0, 7));
  assertSame(await read(once), counted(0, 9));
  assertSame(await read(further), counted(0, 10));
  assertSame(await read(sliceState(twice, 0)), [0, 1, 2, 3, 4, 5, 6, 50, 51]);
  assertSame(await read(sliceState(twice, 1)), [100, 101, 102, 103, 104, 105, 106, 150, 151]);
});

testOnAll("appendTime() equals concatenation, however states are forked and freed", async (backend) => {
  const action = fc.record({ from: fc.nat(), steps: fc.integer({ min: 0, max: 5 }), free: fc.boolean() });
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 3 }),
    fc.nat(9),
    fc.array(action, { maxLength: 20 }),
    async (batch, capacity, actions) => {
      const rows: number[][] = Array.from({ length: batch }, () => []);
      const states = [{ cache: backend.reserveTime(batch, capacity, 1), rows }];
      let next = 0;
      for (const { from, steps, free } of actions) {
        const { cache, rows } = states[from % states.length];
        const added = rows.map(() => Array.from({ length: steps }, () => next++));
        const x = tensor(added.flat(), [batch, steps, 1], backend);
        states.push({ cache: appendTime(cache, x), rows: rows.map((row, b) => [...row, ...added[b]]) });
        backend.free(x);
        if (free) backend.free(states.splice(from % states.length, 1)[0].cache);
      }
      for (const { cache, rows } of states) assertSame(await read(cache), rows.flat());
      backend.free(states);
      assertEquals(backend.memory().bytes, 0);
    },
  );
  await fc.assert(property, { numRuns: 100, seed: 1 });
});

testOnAll("appendTime() is associative", async (backend) => {
  const steps = fc.integer({ min: 0, max: 7 });
  await fc.assert(
    fc.asyncProperty(fc.tuple(steps, steps, steps), async (times) => {
      const [a, b, c] = times.map((time, seed) => randomTensor(seed, [2, time, 3], backend));
      const left = appendTime(appendTime(a, b), c), right = appendTime(a, appendTime(b, c));
      assertSame(await read(left), await read(right));
    }),
    { numRuns: 30, seed: 1 },
  );
});

testOnAll("appendTime() releases its rows when the newest tensor over them is freed", (backend) => {
  const cache = appendTime(backend.reserveTime(2, 64, 16), randomTensor(1, [2, 32, 16], backend));
  const x = randomTensor(2, [2, 1, 16], backend);
  const { bytes } = backend.memory();
  backend.resetPeak();
  for (let i = 0; i < 100; i++) backend.free(appendTime(cache, x));
  assertEquals(backend.memory(), { bytes, peakBytes: bytes });

  const newest = appendTime(cache, x);
  assertEquals(backend.memory().bytes, bytes, "in place");
  const copy = appendTime(cache, x);
  assertEquals(backend.memory().bytes > bytes, true, "a copy, as another holds the rows");
  backend.free([newest, copy]);
  assertEquals(backend.memory().bytes, bytes);
});

testOnAll("appendTime() allocates nothing until the capacity is used up", (backend) => {
  const reserved = backend.reserveTime(3, 5, 2), x = randomTensor(1, [3, 1, 2], backend);
  const { bytes } = backend.memory();
  let cache = reserved;
  for (let i = 0; i < 5; i++) cache = appendTime(cache, x);
  assertEquals(backend.memory().bytes, bytes);
  appendTime(cache, x);
  assertEquals(backend.memory().bytes > bytes, true);
});

testOnAll(
  "appendTime() returns a cache with gaps that every operation reads correctly",
  async (backend) => {
    const cache = appendTime(counting(backend, 0, 3), counting(backend, 3, 1));
    const packed = counting(backend, 0, 4);
    assertSame(await read(lastStep(cache)), [3, 103]);
    assertSame(await read(add(cache, packed)), counted(0, 4).map((value) => 2 * value));
    assertSame(await read(add(cache, cache)), counted(0, 4).map((value) => 2 * value));
    assertNear(
      await read(linear(cache, tensor([2], [1, 1], backend))),
      counted(0, 4).map((value) => 2 * value),
      1e-6,
    );
    assertSame(await read(sliceState(cache, 1)), [100, 101, 102, 103]);
    assertSame(await read(stackStates([cache, packed, cache])), [0, 1, 2].flatMap(() => counted(0, 4)));
    assertSame(await read(appendTime(packed, cache)), [...[0, 1, 2, 3, 0, 1, 2, 3], ...[
      100,
      101,
      102,
      103,
      100,
      101,
      102,
      103,
    ]]);
  },
);

testOnAll(
  "appendTime() returns a cache with gaps that is read without further allocations",
  async (backend) => {
    const cache = appendTime(counting(backend, 0, 3), counting(backend, 3, 1));
    const { bytes } = backend.memory();
    for (let i = 0; i < 3; i++) await read(cache);
    assertEquals(backend.memory().bytes, bytes);
  },
);

const past = tensor([1, 2, 3, 4], [2, 1, 2]);
const elsewhere = createReference();
const freed = tensor(list([1, 2, 3, 4]).data, [2, 1, 2]);
freed.backend.free(freed);
const dead =
  "Cannot append time: tensor must be alive, current tensor of shape [2, 1, 2] on reference was freed";

testFailures("appendTime()", [
  [
    "past not a tensor",
    () => appendTime(wrong(undefined), past),
    TypeError,
    "Cannot append time: past must be a tensor [B, T, C], current value is undefined",
  ],
  [
    "past",
    () => appendTime(tensor([1], [1]), past),
    TypeError,
    "Cannot append time: past must be [B, T, C], current shape is [1]",
  ],
  [
    "another batch",
    () => appendTime(past, tensor([1, 2], [1, 1, 2])),
    TypeError,
    "Cannot append time: x must be [2, S, 2], current shape is [1, 1, 2]",
  ],
  [
    "backends",
    () => appendTime(past, tensor([1, 2, 3, 4], [2, 1, 2], elsewhere)),
    TypeError,
    "Cannot append time: all tensors must live on one backend (move them with put), current past lives on " +
    "reference and x on another reference",
  ],
  ["past freed", () => appendTime(freed, past), TypeError, dead],
  ["x freed", () => appendTime(past, freed), TypeError, dead],
]);
