import { type AnyLanguageModel, read, sample } from "@seqmix/seqmix";
import { batchesOf, batchOf } from "../../src/models/batches.ts";
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
  for (const { indices } of batchesOf(sequences.map(({ length }) => length), batchSize)) {
    const length = Math.max(...indices.map((i) => sequences[i].length));
    const { inputs } = batchOf(sequences, { indices, length });
    const ids = backend.scope(() => {
      const { logits } = model.forward(params, inputs, model.initialState(params, inputs.length));
      return sample(logits, { temperature: 0 });
    });
    const values = await read(ids);
    backend.free(ids);
    indices.forEach((i, row) => {
      const start = row * (length - 1);
      predicted[i] = values.subarray(start, start + sequences[i].length - 1);
    });
  }
  return predicted;
}
