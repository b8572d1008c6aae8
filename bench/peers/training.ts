/**
 * Compares training: here with one worker and with two, and in PyTorch, each in a process of its own.
 *
 * @module
 */
import { median } from "../measure/statistics.ts";
import { labelOf, presetNames } from "../measure/subjects.ts";
import type { Effort, Progress } from "../measure/timer.ts";
import type { Part } from "../report/document.ts";
import { digits, times } from "../report/format.ts";
import { type Case, casesOf } from "./case.ts";
import { columnsOf, compare, type LeftOut, leftOutNotes, type Named } from "./compare.ts";
import type { Peer } from "./peer.ts";
import { pyTorchTrainers } from "./pytorch.ts";
import { apartTrainer, trainer } from "./seqmix.ts";
import { batchSize } from "./training_set_up.ts";

/** The speed of training a model. */
interface TrainingRow extends Named {
  readonly implementation: string;
  /** The median over the rounds. */
  readonly tokensPerS: number;
  /** The speed relative to the library on one thread in the same round, as the median. */
  readonly ofOne: number;
}

interface TrainingComparison {
  readonly training: readonly TrainingRow[];
  readonly leftOut: readonly LeftOut[];
}

/** The number of tokens in a sequence. */
const length = 128;
/** After the warm-up, the engine no longer compiles on the second worker's core. */
const effort: Effort = {
  warmUpMs: 2000,
  leadInMs: 400,
  sampleMs: 250,
  rounds: 21,
  budgetMs: 5000,
  together: true,
};

/** Compares the training of all models of all presets. */
export async function compareTrainings(
  rounds: number | undefined,
  progress: Progress,
): Promise<TrainingComparison> {
  const training: TrainingRow[] = [], leftOut: LeftOut[] = [];
  const cases = (await Promise.all(presetNames.map((preset) => casesOf(preset, length)))).flat();
  for (const [i, subject] of cases.entries()) {
    const peers = [trainer(1), trainer(2), apartTrainer, ...pyTorchTrainers(subject.model)];
    const compared = await compareTraining(
      subject,
      peers,
      { ...effort, rounds: rounds ?? effort.rounds },
      (done, total) => progress(i + done / total, cases.length),
    );
    training.push(...compared.training);
    leftOut.push(...compared.leftOut);
  }
  return { training, leftOut };
}

/** Compares the training of one model; the first peer is the library on one thread. */
export async function compareTraining(
  subject: Case,
  peers: readonly Peer[],
  effort: Effort,
  progress?: Progress,
): Promise<TrainingComparison> {
  const { model, preset } = subject;
  const compared = await compare(subject, peers, { effort, progress });
  const [one] = compared.peers;
  const training = compared.peers.map(({ implementation, samples }) => ({
    model,
    preset,
    implementation,
    tokensPerS: 1000 * batchSize * subject.length / median(samples),
    ofOne: median(samples.map((ms, round) => one.samples[round] / ms)),
  }));
  return { training, leftOut: compared.leftOut };
}

/** The comparison as a table. */
export function trainingParts({ training, leftOut }: TrainingComparison): Part[] {
  const columns = columnsOf(training);
  const cases = Map.groupBy(training, ({ preset, model }) => `${preset} ${model}`);
  return [{
    title: `Training on ${batchSize} sequences of ${length}, tokens per second (relative to seqmix-wasm)`,
    table: {
      columns: ["preset", "model", ...columns],
      rows: [...cases.values()].map((rows) => {
        const shown = columns.map((name) => rows.find(({ implementation }) => implementation === name));
        const [{ preset, model }] = rows;
        return [
          preset,
          labelOf({ model }),
          ...shown.map((row) => row ? `${digits(row.tokensPerS)} (${times(row.ofOne)})` : "-"),
        ];
      }),
    },
    notes: [...leftOutNotes(leftOut), "jax-js is left out of training."],
  }];
}
