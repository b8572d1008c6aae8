/**
 * How long a token takes, for `deno bench -A`: a group for each length of context and each backend, with RWKV as its
 * baseline, in the sizes of the `seed` preset (four layers of width 128).
 *
 * - `RWKV`, `LSTM`: the state after the context is kept, one token is run.
 * - `Transformer, cached`: the same with its key-value cache.
 * - `Transformer, full`: no cache, so the whole context is run again for one token.
 * - `RWKV, products alone`: the matrix-vector products of a token of RWKV and nothing else, the limit.
 *
 * Every step's logits are compared with those of the whole context in one pass before anything is timed. `deno task
 * report` measures the same with all lengths in turn, and says more.
 *
 * @module
 */
import { backendNames, openBackend } from "./backends.ts";
import { bareProducts } from "./products.ts";
import { checkedSteps, labelOf, makeSubject, modelNames, taskSequence, ways } from "./subjects.ts";

for (const name of backendNames) {
  const backend = await openBackend(name);
  for (const model of modelNames) {
    const subject = await makeSubject("seed", model, backend);
    const modes = ways.filter((way) => way.model === model).map((way) => way.mode);
    const products = model === "rwkv" ? await bareProducts(subject) : undefined;
    for (const length of [32, 64, 128, 256]) {
      const steps = await checkedSteps(
        `${model} on ${name} at ${length}`,
        subject,
        modes,
        taskSequence(length),
      );
      for (const [i, mode] of modes.entries()) {
        Deno.bench({
          group: `a token at a context of ${length}, ${name}`,
          name: labelOf({ model, mode }),
          baseline: model === "rwkv",
          // A pass over the whole context takes long enough for a few runs to tell.
          ...mode === "full" ? { n: 6, warmup: 1 } : {},
          fn: () => steps[i].run(),
        });
      }
      if (products === undefined) continue;
      Deno.bench({
        group: `a token at a context of ${length}, ${name}`,
        name: `${labelOf({ model })}, products alone`,
        fn: () => products(1),
      });
    }
  }
}
