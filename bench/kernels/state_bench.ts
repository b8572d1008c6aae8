/**
 * The time to create and to fork a state, in the sizes of the `article` preset, for
 * `deno bench -A bench/kernels/state_bench.ts`.
 *
 * - `create`: the state before the first token.
 * - `fork`: two tokens that continue from the same state, with both results in memory at once. RWKV's and the LSTM's states
 *   are values of constant size; the Transformer's second token has to copy the cache.
 *
 * Forks are checked before they are timed: the same token must give the same logits on both.
 *
 * @module
 */
import { read } from "@seqmix/seqmix";
import { backendNames, openBackend } from "../measure/backends.ts";
import {
  checkLogits,
  labelOf,
  makeSubject,
  modelNames,
  settle,
  Step,
  taskSequence,
} from "../measure/subjects.ts";

for (const name of backendNames) {
  const backend = await openBackend(name);
  for (const model of modelNames) {
    const subject = await makeSubject("article", model, backend);
    Deno.bench({
      group: `create a state, ${name}`,
      name: labelOf({ model }),
      baseline: model === "rwkv",
      fn: () => backend.free(subject.model.initialState(subject.params)),
    });
    for (const length of [32, 256]) {
      const step = new Step(subject, model === "transformer" ? "cached" : "recurrent", taskSequence(length));
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
