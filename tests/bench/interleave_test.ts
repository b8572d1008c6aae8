import { assert, assertEquals } from "@std/assert";
import { interleave } from "../../bench/report/interleave.ts";
import { median, p99 } from "../../bench/report/statistics.ts";

/** Things that take a known time each on a clock of their own, and a log of what ran when. */
function laboratory(costs: readonly number[]) {
  let now = 0;
  const log: { thing: number; times: number }[] = [];
  const things = costs.map((cost, thing) => ({
    run(times: number) {
      now += cost * times;
      log.push({ thing, times });
    },
  }));
  return { things, log, clock: () => now };
}

Deno.test("interleave() gives each thing's time a run, however many runs a sample has", async () => {
  const { things, clock } = laboratory([0.01, 1, 50]);
  const samples = await interleave(things, { sampleMs: 0.1, samples: 20, budgetMs: 1000 }, () => {}, clock);
  assertEquals(samples.map((own) => own.length), [20, 20, 20]);
  for (const [i, cost] of [0.01, 1, 50].entries()) {
    assert(samples[i].every((ms) => Math.abs(ms - cost) < 1e-6 * Math.max(1, cost)));
  }
});

Deno.test("interleave() repeats what is faster than a sample, after a lead-in that is not timed", async () => {
  const { things, log, clock } = laboratory([1 / 64, 1, 5]);
  await interleave(things, { sampleMs: 1 / 8, samples: 5, budgetMs: 1000 }, () => {}, clock);
  const lastTwo = (thing: number) =>
    log.filter((each) => each.thing === thing).slice(-2).map(({ times }) => times);
  assertEquals(lastTwo(0), [128, 8]);
  assertEquals(lastTwo(1), [2, 1]);
  assertEquals(lastTwo(2), [1, 1]); // two samples: slow enough to need no lead-in
});

Deno.test("interleave() takes fewer samples of what is slow, but never under 3, spread over the rounds", async () => {
  const { things, log, clock } = laboratory([5, 100, 10_000]);
  const samples = await interleave(things, { sampleMs: 0.1, samples: 30, budgetMs: 1000 }, () => {}, clock);
  assertEquals(samples.map((own) => own.length), [30, 10, 3]);
  const slow = log.flatMap(({ thing }, i) => thing === 2 ? [i] : []).slice(-3);
  assert(slow[1] - slow[0] > 5 && slow[2] - slow[1] > 5);
});

Deno.test("interleave() changes the order from round to round", async () => {
  const { things, log, clock } = laboratory([5, 5, 5, 5]);
  await interleave(things, { sampleMs: 0.1, samples: 12, budgetMs: 1000 }, () => {}, clock);
  const order = log.slice(-48).map(({ thing }) => thing);
  const rounds = Array.from({ length: 12 }, (_, i) => order.slice(4 * i, 4 * i + 4));
  for (const round of rounds) assertEquals(round.toSorted(), [0, 1, 2, 3]);
  assert(new Set(rounds.map(String)).size > 3);
});

Deno.test("interleave() says how far it is, up to the whole", async () => {
  const { things, clock } = laboratory([5, 20]);
  const seen: number[] = [];
  await interleave(things, { sampleMs: 0.1, samples: 4, budgetMs: 1000 }, (done, total) => {
    seen.push(done / total);
  }, clock);
  assertEquals(seen.length, 8);
  assertEquals(seen, seen.toSorted((a, b) => a - b));
  assertEquals(seen.at(-1), 1);
});

Deno.test("interleave() waits for what is done later", async () => {
  let now = 0;
  const later = { run: (times: number) => Promise.resolve().then(() => void (now += 7 * times)) };
  const [samples] = await interleave(
    [later],
    { sampleMs: 0.1, samples: 3, budgetMs: 100 },
    () => {},
    () => now,
  );
  assertEquals(samples, [7, 7, 7]);
});

Deno.test("median() is the middle one, or the mean of the two in the middle", () => {
  assertEquals(median([10, 2, 9]), 9);
  assertEquals(median([10, 2, 9, 4]), 6.5);
});

Deno.test("p99() is null under 100 samples, and exceeded by at most a hundredth of them", () => {
  const samples = Array.from({ length: 200 }, (_, i) => 200 - i);
  assertEquals(p99(samples.slice(0, 99)), null);
  assertEquals(p99(samples), 198);
});
