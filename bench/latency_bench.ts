/**
 * The time of a token, in the article's sizes (the `article` preset: four layers of width 128), for `deno bench -A`.
 *
 * - `RWKV`, `LSTM`: the state after the context is kept, and one token is run.
 * - `Transformer, cached`: the same with its key-value cache.
 * - `full`: without a cache, so that the whole context is run again for one token.
 *
 * All are compiled, and their logits are checked against a single pass over the whole context. An iteration is a
 * round that runs each of them; the table of medians is printed last, on stderr, so that `--json` on stdout stays
 * JSON. `deno task report` has other sizes, lengths and backends.
 *
 * @module
 */
import { backendNames, openBackend } from "./measure/backends.ts";
import { checkedTokens, latencyRows, type Token } from "./measure/latency.ts";
import { type Effort, RoundRobin } from "./measure/timer.ts";
import { article } from "./report/article.ts";
import { articleTable, verdict } from "./report/article_table.ts";
import { toText } from "./report/document.ts";
import { digits } from "./report/format.ts";

const effort: Effort = { warmUpMs: 60, leadInMs: 2, sampleMs: 0.5, rounds: 80, budgetMs: 2500 };

const timed: { readonly tokens: Token[]; readonly robin: RoundRobin }[] = [];
for (const name of backendNames) {
  const backend = await openBackend(name);
  const tokens = await checkedTokens(backend, "article", article.map(({ length }) => length));
  const robin = await RoundRobin.prepare(tokens, effort);
  timed.push({ tokens, robin });
  Deno.bench({
    name: `time of a token on ${name}: a round of all`,
    n: robin.rounds,
    warmup: 0,
    // An async function, since Deno awaits nothing else.
    async fn() {
      await robin.round();
    },
  });
}

addEventListener("unload", () => {
  const measured = timed.filter(({ robin }) => robin.samples[0].length > 0);
  const rows = measured.flatMap(({ tokens, robin }) => latencyRows(tokens, robin.samples));
  // A filter may have excluded everything.
  if (rows.length === 0) return;
  console.error(
    "\n" + toText([{
      title: "Milliseconds per token, medians of round-robin timing",
      table: articleTable(rows, "latency", ({ medianMs }) => digits(medianMs)),
      notes: [verdict(rows, "latency", ({ medianMs }) => medianMs)],
    }]).trimEnd(),
  );
});
