import { assert, assertEquals } from "@std/assert";
import { inRounds } from "../../bench/peers/rounds.ts";

const effort = { warmUpMs: 500, leadInMs: 100, turnMs: 250, rounds: 10, budgetMs: 10_000 };

/** Things whose runs take so long, and how long each was told to run. */
function laboratory(costs: readonly number[], threads = 1) {
  const log: { thing: number; ms: number }[] = [];
  const things = costs.map((cost, thing) => ({
    threads,
    pace(ms: number) {
      log.push({ thing, ms });
      return Promise.resolve(1 / cost);
    },
  }));
  return { things, log };
}

Deno.test("inRounds() gives everything a turn in every round, after a lead-in where a run is short", async () => {
  const { things, log } = laboratory([20, 600]);
  const paces = await inRounds(things, { ...effort, rounds: 2 });
  assertEquals(paces, [[1 / 20, 1 / 20], [1 / 600, 1 / 600]]);
  const told = (thing: number) => log.filter((each) => each.thing === thing).map(({ ms }) => ms);
  assertEquals(told(0), [500, 100, 250, 100, 250]);
  assertEquals(told(1), [500, 250, 250]);
  const several = laboratory([600], 2);
  await inRounds(several.things, { ...effort, rounds: 1 });
  assertEquals(several.log.map(({ ms }) => ms), [500, 100, 250]);
});

Deno.test("inRounds() takes as many rounds as the budget allows, but never under 3", async () => {
  const rounds = async (costs: readonly number[], budgetMs: number) => {
    const { things } = laboratory(costs);
    const counts: [number, number][] = [];
    const [paces] = await inRounds(
      things,
      { ...effort, budgetMs },
      (done, total) => counts.push([done, total]),
    );
    assertEquals(counts, paces.map((_, i) => [i + 1, paces.length]));
    return paces.length;
  };
  // 350 ms for the short one, lead-in included, and 650 for the other: a second a round.
  assertEquals(await rounds([20, 650], 7500), 7);
  assertEquals(await rounds([20, 650], 100_000), 10);
  assertEquals(await rounds([20, 650], 0), 3);
});

Deno.test("inRounds() draws the order of each round", async () => {
  const { things, log } = laboratory([600, 600, 600]);
  await inRounds(things, { ...effort, budgetMs: 100_000 });
  const turns = log.slice(3).map(({ thing }) => thing);
  const orders = new Set(Array.from({ length: 10 }, (_, i) => turns.slice(3 * i, 3 * i + 3).join()));
  for (const order of orders) assertEquals(order.split(",").sort(), ["0", "1", "2"]);
  assert(orders.size > 2);
});
