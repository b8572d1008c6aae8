/** The operations that models are built of, and their gradients, beside PyTorch's. */
import { assertEquals } from "@std/assert";
import * as library from "@seqmix/seqmix";
import { readFloat64, type Tensor, tensor } from "@seqmix/seqmix";
import { vjp } from "../src/autodiff/mod.ts";
import { backends } from "./backends.ts";
import { loadOperations } from "./fixtures/load.ts";
import { assertNear, show } from "./helpers.ts";

const calls = loadOperations("ops");

for (const { name: on, create } of backends) {
  Deno.test(`operations and their gradients equal PyTorch's on ${on}`, async (t) => {
    using backend = await create();
    for (const { op, inputs, args, y, seed, grads } of calls) {
      const shapes = inputs.map(({ shape }) => show(shape)).join(" and ");
      await t.step(`${op}() of ${shapes}, ${JSON.stringify(args)}`, async () => {
        const run = library[op as keyof typeof library] as (...args: unknown[]) => Tensor;
        const [first, ...rest] = inputs.map(({ data, shape }) => tensor(data, shape, backend));
        const seeds = [tensor(seed.data, seed.shape, backend)];
        const { values: [value], grads: found } = vjp(
          (xs) => [op === "concat" ? run(xs, ...args) : run(...xs, ...args)],
          [first, ...rest],
          seeds,
        );
        assertEquals(value.shape, y.shape);
        assertNear(await readFloat64(value), y.data, 1e-6, "y");
        for (const [i, grad] of grads.entries()) {
          assertEquals(found[i].shape, grad.shape);
          assertNear(await readFloat64(found[i]), grad.data, 2e-6, `gradient ${i}`);
        }
      });
    }
  });
}
