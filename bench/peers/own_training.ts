/**
 * Compares the training of models of one's own: here with `fit` of a loss, and in PyTorch, each in a process of its
 * own, on one thread.
 *
 * @module
 */
import { median } from "../measure/statistics.ts";
import type { Effort, Progress } from "../measure/timer.ts";
import type { Part } from "../report/document.ts";
import { digits, times } from "../report/format.ts";
import { columnsOf, compare, type LeftOut, leftOutNotes } from "./compare.ts";
import { channels, length, type OwnModelName, ownModels } from "./own_models.ts";
import { pyTorchOwnTrainers } from "./pytorch.ts";
import { ownTrainer } from "./seqmix.ts";
import { batchSize } from "./training_set_up.ts";

/** The time of a step of training a model. */
interface OwnTrainingRow {
  readonly model: OwnModelName;
  readonly implementation: string;
  /** The median over the rounds. */
  readonly medianMs: number;
  /** The time relative to the library's in the same round, as the median. */
  readonly ofOne: number;
}

interface OwnTrainingComparison {
  readonly ownTraining: readonly OwnTrainingRow[];
  readonly leftOut: readonly LeftOut[];
}

const effort: Effort = {
  warmUpMs: 1000,
  leadInMs: 100,
  sampleMs: 150,
  rounds: 21,
  budgetMs: Infinity,
  together: true,
};

/** Compares the training of all models. */
export async function compareOwnTrainings(
  rounds: number | undefined,
  progress: Progress,
): Promise<OwnTrainingComparison> {
  const ownTraining: OwnTrainingRow[] = [], leftOut: LeftOut[] = [];
  const models = Object.keys(ownModels) as OwnModelName[];
  for (const [i, model] of models.entries()) {
    const compared = await compare({ model }, [ownTrainer, ...pyTorchOwnTrainers(model)], {
      effort: { ...effort, rounds: rounds ?? effort.rounds },
      progress: (done, total) => progress(i + done / total, models.length),
    });
    const [own] = compared.peers;
    for (const { implementation, samples } of compared.peers) {
      ownTraining.push({
        model,
        implementation,
        medianMs: median(samples),
        ofOne: median(samples.map((ms, round) => ms / own.samples[round])),
      });
    }
    leftOut.push(...compared.leftOut);
  }
  return { ownTraining, leftOut };
}

/** The comparison as a table. */
export function ownTrainingParts({ ownTraining, leftOut }: OwnTrainingComparison): Part[] {
  const columns = columnsOf(ownTraining);
  return [{
    title:
      `Training on ${batchSize} sequences of ${length}, width ${channels}, ms per step (relative to seqmix-wasm)`,
    table: {
      columns: ["model", ...columns],
      rows: [...Map.groupBy(ownTraining, ({ model }) => model)].map(([model, rows]) => [
        model,
        ...columns.map((name) => {
          const row = rows.find(({ implementation }) => implementation === name);
          return row ? `${digits(row.medianMs)} (${times(row.ofOne)})` : "-";
        }),
      ]),
    },
    notes: leftOutNotes(leftOut),
  }];
}
