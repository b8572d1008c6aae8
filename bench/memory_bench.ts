/**
 * What memory a token takes, and how long it takes to make and to fork a state, for `deno bench -A`, in the sizes of the
 * `seed` preset (four layers of width 128).
 *
 * The memory is what the backend counts, as a table on stderr, so that `--json` on stdout stays JSON. It is weights and
 * state and the most that one token's activations take; `deno task report` shows the parts, and whole processes.
 *
 * - `create`: the state before the first token.
 * - `fork`: two tokens, each going on from the same state, and both results held at once: what a state costs that is
 *   gone on from twice. RWKV's and the LSTM's states are values of constant size; the Transformer's second token has to copy
 *   the cache.
 *
 * Forks are checked before they are timed: the same token gives the same logits on both of them.
 *
 * @module
 */
import { read } from "@seqmix/seqmix";
import { backendNames, openBackend } from "./backends.ts";
import { countMemory } from "./count_memory.ts";
import { textTable } from "./report/document.ts";
import { megabytes } from "./report/format.ts";
import {
  checkLogits,
  labelOf,
  makeSubject,
  modelNames,
  settle,
  Step,
  taskSequence,
  ways,
} from "./subjects.ts";

const lengths = [32, 64, 128, 256];
const preset = "seed";

const rows: string[][] = [];
for (const backend of backendNames) {
  for (const length of lengths) {
    const totals: string[] = [];
    for (const way of ways) {
      const cell = { preset, backend, length, ...way } as const;
      const { totalBytes } = await countMemory(cell, (opened) => makeSubject(preset, way.model, opened));
      totals.push(megabytes(totalBytes));
    }
    rows.push([backend, String(length), ...totals]);
  }
}
console.error(`\nMemory for a token, MB: ${preset}\n`);
console.error(textTable({ columns: ["backend", "context", ...ways.map(labelOf)], rows }) + "\n");

for (const name of backendNames) {
  const backend = await openBackend(name);
  for (const model of modelNames) {
    const subject = await makeSubject(preset, model, backend);
    Deno.bench({
      group: `create a state, ${name}`,
      name: labelOf({ model }),
      baseline: model === "rwkv",
      fn: () => backend.free(subject.model.initialState(subject.params)),
    });
    const mode = model === "transformer" ? "cached" : "recurrent";
    for (const length of lengths) {
      const step = new Step(subject, mode, taskSequence(length));
      const expected = await step.nextLogits();
      const fork = step.fork();
      for (const logits of fork) checkLogits(`fork of ${model} on ${name}`, await read(logits), expected);
      backend.free(fork);
      Deno.bench({
        group: `fork a state at a context of ${length}, ${name}`,
        name: labelOf({ model }),
        baseline: model === "rwkv",
        fn() {
          const [first, second] = step.fork();
          backend.free(first);
          return settle(second);
        },
      });
    }
  }
}
