/**
 * The memory of a token, in the article's sizes (the `article` preset: four layers of width 128), for `deno bench -A`:
 * weights, state and the peak of a token's activations, as counted by the backend. An iteration counts all of them;
 * the table is printed last, on stderr, so that `--json` on stdout stays JSON. One backend suffices, since all have
 * the same tensors; `deno task report` has the others, the parts, and whole processes.
 *
 * @module
 */
import { backendNames } from "./measure/backends.ts";
import { countAll } from "./measure/memory.ts";
import { article } from "./report/article.ts";
import { articleTable, verdict } from "./report/article_table.ts";
import { toText } from "./report/document.ts";
import { megabytes } from "./report/format.ts";

const [name] = backendNames;
let rows: Awaited<ReturnType<typeof countAll>> = [];
Deno.bench({
  name: `memory of a token on ${name}: a count of all`,
  n: 1,
  warmup: 0,
  async fn() {
    rows = await countAll(name, "article", article.map(({ length }) => length));
  },
});

addEventListener("unload", () => {
  // A filter may have excluded everything.
  if (rows.length === 0) return;
  console.error(
    "\n" + toText([{
      title: "Megabytes for a token: weights, state and activations",
      table: articleTable(rows, "memory", ({ totalBytes }) => megabytes(totalBytes)),
      notes: [verdict(rows, "memory", ({ totalBytes }) => totalBytes)],
    }]).trimEnd(),
  );
});
