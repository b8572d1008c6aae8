import { assert } from "@std/assert";
import { fit } from "@seqmix/seqmix";
import { assertNear } from "../helpers.ts";
import { bigram, steep } from "./own_model.ts";

Deno.test("customGradient() works in the workers of fit()", async () => {
  const sequences = Array.from({ length: 12 }, (_, i) => Array.from({ length: 6 }, (_, t) => (i + t) % 5));
  const module = new URL("./own_model.ts", import.meta.url);
  const losses = async (model: typeof bigram, workers: number) => {
    const found = [];
    const options = { config: { vocabulary: 5 }, workers, module, epochs: 4, batchSize: 4, seed: 1 };
    for await (const at of fit(model, { train: sequences }, options)) found.push(at.trainLoss);
    return found;
  };
  const alone = await losses(steep, 1);
  assertNear(await losses(steep, 3), alone, 1e-5);
  assert((await losses(bigram, 1)).some((loss, i) => loss !== alone[i]));
});
