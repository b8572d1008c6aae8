import { type AnyLanguageModel, read, sample } from "@seqmix/seqmix";
import { backendOf } from "../../src/tree.ts";

/** The number of sequences in a batch. */
const batchSize = 32;

/**
 * The most probable next token after every token of the sequences except the last.
 *
 * @returns for each sequence `[T - 1]` ids
 */
export async function predict(
  model: AnyLanguageModel,
  params: unknown,
  sequences: readonly Uint16Array[],
): Promise<Float32Array[]> {
  const backend = backendOf("predict", "params", params);
  const predicted: Float32Array[] = [];
  const byLength = Map.groupBy(sequences.keys(), (i) => sequences[i].length);
  for (const [length, group] of byLength) {
    for (let start = 0; start < group.length; start += batchSize) {
      const batch = group.slice(start, start + batchSize);
      const inputs = batch.map((i) => sequences[i].subarray(0, -1));
      const ids = backend.scope(() => {
        const { logits } = model.forward(params, inputs, model.initialState(params, batch.length));
        return sample(logits, { temperature: 0 });
      });
      const values = await read(ids);
      backend.free(ids);
      batch.forEach((i, row) => predicted[i] = values.subarray(row * (length - 1), (row + 1) * (length - 1)));
    }
  }
  return predicted;
}
