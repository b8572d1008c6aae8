import { createWasm, fit } from "@seqmix/seqmix";

const train = Array.from({ length: 12 }, (_, i) => Array.from({ length: 16 }, (_, t) => (i + t * t) % 11));

/** Trains a model in one thread and in two: the same losses but for their last bits, in which sums of another order differ. */
export async function trainTogether(model, config, options = {}) {
  const [one, two] = [await losses({ workers: 1 }), await losses({ workers: 2, ...options })];
  const isNear = two.every((loss, i) => Math.abs(loss - one[i]) <= 1e-4 * one[i]);
  if (!isNear) throw new Error(`${model.name}: losses must be near ${one}, current ones are ${two}`);
  if (two.every((loss, i) => loss === one[i])) {
    throw new Error(`${model.name}: two workers must share batches`);
  }

  async function losses(workers) {
    const backend = await createWasm();
    const all = [];
    const rest = { config, epochs: 4, batchSize: 4, every: 1, learningRate: 0.01, backend };
    for await (const at of fit(model, { train }, { ...rest, ...workers })) all.push(...at.losses);
    backend[Symbol.dispose]();
    return all;
  }
}
