/** Made-up results for the report's tests. */
import type { ModelName } from "../../bench/measure/subjects.ts";
import { rates } from "../../bench/training/comparison.ts";
import type { TrainingRow } from "../../bench/training/row.ts";

export const machine = { cpu: "A processor", cores: 2, memoryBytes: 8 * 2 ** 30, system: "a system" };
export const runtime = { deno: "2", v8: "15", typescript: "6", processBytes: 35e6 };

const best = { motif: 0.998, slot: 0.875, order: 1, new: 0.3 };
const byKind: Readonly<Record<ModelName, TrainingRow["accuracyByKind"]>> = {
  rwkv: { motif: 0.99, slot: 0.86, order: 0.99, new: 0.3 },
  transformer: { motif: 0.99, slot: 0.85, order: 0.97, new: 0.3 },
  lstm: { motif: 0.98, slot: 0.5, order: 0.1, new: null },
};
/** Of the last epoch and seed 1; each further seed adds 0.01 to all. */
const ends: Readonly<Record<ModelName, { trainLoss: number; testLoss: number; accuracy: number }>> = {
  rwkv: { trainLoss: 0.13, testLoss: 0.15, accuracy: 0.945 },
  transformer: { trainLoss: 0.14, testLoss: 0.16, accuracy: 0.943 },
  lstm: { trainLoss: 0.41, testLoss: 0.42, accuracy: 0.82 },
};

/** The best rate of these made-up results. */
const bestRate = 3e-3;

/**
 * A training of 50 epochs: the LSTM's loss is still falling at the end, the others' are not. Other rates are 0.1
 * worse.
 */
export function trainingRow(of: Partial<TrainingRow> = {}): TrainingRow {
  const { model = "rwkv", seed = 1, rate = bestRate, epochs = 50 } = of;
  const more = 0.01 * (seed - 1), worse = rate === bestRate ? 0 : 0.1;
  const end = ends[model];
  const last = {
    trainLoss: end.trainLoss + more,
    testLoss: end.testLoss + more,
    accuracy: end.accuracy + more - worse,
  };
  const curve = Array.from({ length: epochs }, (_, i) => {
    const left = model === "lstm" ? 1 - (i + 1) / epochs : Math.exp(-i / 3);
    return {
      epoch: i + 1,
      trainLoss: last.trainLoss + 3 * left,
      testLoss: last.testLoss + 3 * left,
      accuracy: last.accuracy * (1 - left),
    };
  });
  return {
    preset: "matched",
    model,
    seed,
    backend: "wasm",
    workers: 2,
    rate,
    origin: { date: "2020-01-02T03:04:05.678Z", command: "a command", machine, runtime },
    parameters: 51_712,
    epochs,
    trainSequences: 3072,
    testSequences: 384,
    ...last,
    validationLoss: last.testLoss,
    validationAccuracy: last.accuracy,
    ceilingAccuracy: 0.957 + more,
    ceilingLoss: 0.11 + more,
    ngramOrder: 4,
    ngramAccuracy: 0.824 + more,
    ngramLoss: 0.418 + more,
    accuracyByKind: byKind[model],
    ceilingByKind: best,
    ngramByKind: { motif: 0.97, slot: 0.5, order: 0.12, new: 0.1 },
    seconds: 240,
    tokensPerS: 40_000,
    curve,
    ...of,
  };
}

/**
 * The three models' trainings: at every rate with seed 1, at the best and at the article's rate with the other seeds.
 */
export function trainings({ seeds }: { readonly seeds: number }): TrainingRow[] {
  const models = ["rwkv", "lstm", "transformer"] as const;
  return Array.from({ length: seeds }, (_, i) => i + 1).flatMap((seed) =>
    models.flatMap((model) =>
      (seed === 1 ? rates : [1e-3, bestRate]).map((rate) => trainingRow({ model, seed, rate }))
    )
  );
}
