/**
 * Runs the article's training for models, seeds, learning rates and presets.
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

/** The trainings to run. */
export interface TrainingPlan {
  readonly presets: readonly PresetName[];
  readonly models: readonly ModelName[];
  /** Every seed at every rate; by default, the trainings of the comparison of each preset. */
  readonly named?: { readonly seeds: readonly number[]; readonly rates: readonly number[] } | undefined;
  readonly epochs: number;
  /** Default: one for each core, at most 4, since a batch of 32 sequences is divided among them; 1 on a GPU. */
  readonly workers?: number | undefined;
}

/** Whole batches of 32 for each length. */
const test = 384, lengths = [32, 64, 128, 256];

/** The sequences of each preset, the same for all models. */
const datasetSizes: Readonly<Record<PresetName, DatasetSize>> = {
  matched: { train: 3072, test, lengths },
  article: { train: 768, test, lengths },
};

/**
 * The trainings of a plan that are not done, grouped by seed, so that a dataset is reused. Those at a chosen rate
 * are included once the grid is complete.
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

/** The command that runs a single training. */
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

/** The setting of trainings. */
interface Place {
  readonly backend: Backend;
  readonly origin: Origin;
  /** The report's folder. */
  readonly out: string;
  readonly progress: Progress;
}

/**
 * Runs the missing trainings, one after another, and writes a file with the row of each. An interrupted training
 * resumes from its checkpoint.
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

/** Shows each report of a training next to the bar, or a line for each epoch without a bar. */
function shower(title: string, before: number, total: number, progress: Progress): OnProgress {
  let isLogged = false;
  return (at, resumed) => {
    if (resumed > 0 && !isLogged) progress.log(`${title}: resumes from epoch ${resumed}`);
    isLogged = true;
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
