/**
 * The article's training, for every model, seed, learning rate and preset that is asked for.
 *
 * @module
 */
import { type Backend, presets } from "@seqmix/seqmix";
import { duration } from "../report/format.ts";
import type { ProgressBar } from "../report/progress.ts";
import type { Origin } from "../measure/machine.ts";
import { labelOf, type ModelName, type PresetName } from "../measure/subjects.ts";
import { compare } from "./comparison.ts";
import { type Dataset, type DatasetSize, makeDataset } from "./dataset.ts";
import { nameOf, type TrainingCell, type TrainingRow } from "./row.ts";
import { absentAsUndefined, readRows, rowsFolder, writeRow } from "./rows.ts";
import { type OnProgress, train } from "./train.ts";

/** What to train and how. */
export interface TrainingPlan {
  readonly presets: readonly PresetName[];
  readonly models: readonly ModelName[];
  /** Every seed at every rate; without it, what the comparison of each preset is made of. */
  readonly named?: { readonly seeds: readonly number[]; readonly rates: readonly number[] } | undefined;
  readonly epochs: number;
  /** Default: one a core, 4 at most: a batch is 32 sequences, and each wants some of them; on a GPU 1. */
  readonly workers?: number | undefined;
}

/** Whole batches of 32 of each length. */
const test = 384, lengths = [32, 64, 128, 256];

/** The sequences of each preset, the same for all models. */
export const datasetSizes: Readonly<Record<PresetName, DatasetSize>> = {
  matched: { train: 3072, test, lengths },
  seed: { train: 768, test, lengths },
};

/**
 * The trainings of a plan that are not done, those of a seed together, whose sequences are the same. Those at a rate that is
 * chosen are among them once the grid is complete.
 */
export function missingCells(
  { presets, models, named, epochs }: TrainingPlan,
  backend: string,
  done: readonly TrainingRow[],
): TrainingCell[] {
  const names = new Set(done.map((row) => nameOf(row, row.backend)));
  return presets.flatMap((preset) =>
    named
      ? named.seeds.flatMap((seed) =>
        named.rates.flatMap((rate) => models.map((model) => ({ preset, model, seed, rate, epochs })))
      )
      : compare({ preset, backend, epochs }, done).missing
  ).filter((cell) => models.includes(cell.model) && !names.has(nameOf(cell, backend)));
}

/** The command that trains a cell alone. */
export function commandOf(
  { preset, model, seed, rate, epochs }: TrainingCell,
  { workers }: TrainingPlan,
  backend: string,
  out: string,
): string {
  return `deno task report --only training --preset ${preset} --models ${model} --seed ${seed} --rate ${rate} ` +
    `--epochs ${epochs} --backend ${backend}${workers ? ` --workers ${workers}` : ""} --out ${out}`;
}

type Progress = Pick<ProgressBar, "update" | "log">;

/** Where trainings are run. */
export interface Place {
  readonly backend: Backend;
  readonly origin: Origin;
  /** The report's folder. */
  readonly out: string;
  readonly progress: Progress;
}

/**
 * Trains what is missing, one after another, and leaves a file of each one's row. A training that was interrupted goes on
 * from its checkpoint.
 *
 * @param sizes the sequences of each preset
 */
export async function measureTraining(
  plan: TrainingPlan,
  { backend, origin, out, progress }: Place,
  sizes = datasetSizes,
): Promise<void> {
  await Deno.mkdir(rowsFolder(out), { recursive: true });
  const workers = plan.workers ??
    (backend.name === "webgpu" ? 1 : Math.min(4, navigator.hardwareConcurrency));
  let dataset: Dataset | undefined, before: TrainingCell | undefined;
  for (let done = 0;; done++) {
    const cells = missingCells(plan, backend.name, await readRows(out)), [cell] = cells;
    if (cell === undefined) break;
    const { preset, model, seed, rate } = cell, total = done + cells.length;
    if (dataset === undefined || before?.preset !== preset || before.seed !== seed) {
      dataset = makeDataset(sizes[preset], seed);
    }
    before = cell;
    const title = `${labelOf({ model })}, ${preset}, seed ${seed}, rate ${rate} (${done + 1} of ${total})`;
    const name = `${nameOf(cell, backend.name)}-workers${workers}.safetensors`;
    const checkpoint = `${rowsFolder(out)}/${name}`;
    const setup = { config: presets[preset][model], backend, workers, origin, checkpoint };
    await writeRow(await train(cell, dataset, setup, shower(title, done, total, progress)), out);
    await absentAsUndefined(Deno.remove(checkpoint));
    progress.update(done + 1, total);
  }
}

/** Shows each report of a training beside the bar; without a bar, a line for each epoch. */
function shower(title: string, before: number, total: number, progress: Progress): OnProgress {
  let told = false;
  return (at, resumed) => {
    if (resumed > 0 && !told) progress.log(`${title}: goes on from epoch ${resumed}`);
    told = true;
    const { epoch, epochs, step, steps, trainLoss, test, tokensPerSecond, secondsLeft } = at;
    const status = [
      `${title}: epoch ${epoch} of ${epochs}`,
      `train loss ${trainLoss.toFixed(4)}`,
      ...test ? [`test loss ${test.loss.toFixed(4)}`, `${(100 * test.accuracy).toFixed(1)}% right`] : [],
      `${Math.round(tokensPerSecond).toLocaleString("en")} tokens/s`,
    ].join(", ");
    progress.update(before + step / steps, total, status);
    if (test) progress.log(`${status}, ${duration(secondsLeft)} left`);
  };
}
