import { assert, assertEquals } from "@std/assert";
import { median, p99 } from "../../bench/measure/statistics.ts";
import { clocked, type Effort, RoundRobin, roundRobin } from "../../bench/measure/timer.ts";

const effort: Effort = { warmUpMs: 60, leadInMs: 2, sampleMs: 0.1, rounds: 20, budgetMs: 1000 };

/** Subjects that take a known time on a simulated clock, and a log of what ran when. */
function laboratory(costs: readonly number[]) {
  let now = 0;
  const log: { thing: number; times: number }[] = [];
  const run = (thing: number) => (times: number) => {
    now += costs[thing] * times;
    log.push({ thing, times });
  };
  return { things: costs.map((_, thing) => clocked(run(thing), () => now)), log };
}

Deno.test("roundRobin() returns the time per run, for any number of runs in a sample", async () => {
  const { things } = laboratory([0.01, 1, 50]);
  const samples = await roundRobin(things, effort);
  assertEquals(samples.map((own) => own.length), [20, 20, 20]);
  for (const [i, cost] of [0.01, 1, 50].entries()) {
    assert(samples[i].every((ms) => Math.abs(ms - cost) < 1e-6 * Math.max(1, cost)));
  }
});

Deno.test("roundRobin() warms up, and repeats fast subjects within a sample, after an untimed lead-in", async () => {
  const { things, log } = laboratory([1 / 64, 1, 5, 100]);
  await roundRobin(things, { ...effort, sampleMs: 1 / 8 });
  const runs = (thing: number) => log.filter((each) => each.thing === thing).map(({ times }) => times);
  assertEquals(runs(0).slice(-2), [128, 8]);
  assertEquals(runs(1).slice(-2), [2, 1]);
  assertEquals(runs(2).slice(-2), [1, 1]); // two samples: too slow for a lead-in
  const warmUp = log.slice(0, log.findIndex(({ thing }) => thing === 1));
  assertEquals(warmUp.reduce((sum, { times }) => sum + times / 64, 0), 60);
  assertEquals(runs(3).length, 1 + 10); // a single run is enough to warm up
});

Deno.test("roundRobin() takes fewer samples of slow subjects, but at least 3, spread over the rounds", async () => {
  const { things, log } = laboratory([5, 100, 10_000]);
  const samples = await roundRobin(things, { ...effort, rounds: 30 });
  assertEquals(samples.map((own) => own.length), [30, 10, 3]);
  const slow = log.flatMap(({ thing }, i) => thing === 2 ? [i] : []).slice(-3);
  assert(slow[1] - slow[0] > 5 && slow[2] - slow[1] > 5);
});

Deno.test("roundRobin() limits all subjects to the samples of the slowest if samples are to be compared", async () => {
  const { things } = laboratory([0.01, 5, 100]);
  const samples = await roundRobin(things, { ...effort, together: true });
  assertEquals(samples.map((own) => own.length), [10, 10, 10]);
});

Deno.test("roundRobin() changes the order from round to round", async () => {
  const { things, log } = laboratory([5, 5, 5, 5]);
  await roundRobin(things, { ...effort, rounds: 12 });
  const order = log.slice(-48).map(({ thing }) => thing);
  const rounds = Array.from({ length: 12 }, (_, i) => order.slice(4 * i, 4 * i + 4));
  for (const round of rounds) assertEquals(round.toSorted(), [0, 1, 2, 3]);
  assert(new Set(rounds.map(String)).size > 3);
});

Deno.test("roundRobin() reports progress up to the total", async () => {
  const { things } = laboratory([5, 20]);
  const seen: [number, number][] = [];
  await roundRobin(things, { ...effort, rounds: 4 }, (done, total) => seen.push([done, total]));
  assertEquals(seen, [[1, 4], [2, 4], [3, 4], [4, 4]]);
});

Deno.test("RoundRobin continues for the requested number of rounds", async () => {
  const { things } = laboratory([5, 100]);
  const robin = await RoundRobin.prepare(things, { ...effort, budgetMs: 500 });
  assertEquals([robin.rounds, robin.samples], [20, [[], []]]);
  for (let i = 0; i < 40; i++) await robin.round();
  assertEquals(robin.samples.map((own) => own.length), [40, 10]);
});

Deno.test("clocked() awaits asynchronous work", async () => {
  let now = 0;
  const later = clocked((times) => Promise.resolve().then(() => void (now += 7 * times)), () => now);
  assertEquals(await later.time(3), 7);
  assertEquals(await roundRobin([later], { ...effort, rounds: 3 }), [[7, 7, 7]]);
});

Deno.test("median() is the middle value, or the mean of the two in the middle", () => {
  assertEquals(median([10, 2, 9]), 9);
  assertEquals(median([10, 2, 9, 4]), 6.5);
});

Deno.test("p99() is null for fewer than 100 samples, and exceeded by at most a hundredth of them", () => {
  const samples = Array.from({ length: 200 }, (_, i) => 200 - i);
  assertEquals(p99(samples.slice(0, 99)), null);
  assertEquals(p99(samples), 198);
});
