/**
 * The article's training, for every model, seed, learning rate and preset that is asked for.
 *
 * @module
 */
import { type Backend, presets } from "@seqmix/seqmix";
import { duration } from "../report/format.ts";
import type { ProgressBar } from "../report/progress.ts";
import type { Origin } from "../report/result.ts";
import { labelOf, type ModelName, type PresetName } from "../subjects.ts";
import { nameOf, type TrainingCell } from "./cells.ts";
import { type Lesson, type LessonSize, makeLesson } from "./lesson.ts";
import { absentAsUndefined, readRow, rowsFolder, writeRow } from "./rows.ts";
import { type OnProgress, train } from "./train.ts";

/** What to train and how: every model of every preset, of every seed at every rate. */
export interface TrainingPlan {
  readonly presets: readonly PresetName[];
  readonly models: readonly ModelName[];
  readonly seeds: readonly number[];
  readonly rates: readonly number[];
  readonly epochs: number;
  readonly workers: number;
}

/** Test sequences, and as many of each length to train on: whole batches of 32. */
const test = 384;
const lengths = [32, 64, 128, 256];

/** The sequences of each preset, the same for all models. */
export const lessonSizes: Readonly<Record<PresetName, LessonSize>> = {
  matched: { train: 3072, test, lengths },
  seed: { train: 768, test, lengths },
};

/** The trainings of a plan, those of a seed together, whose sequences are the same. */
function cellsOf({ presets, models, seeds, rates, epochs }: TrainingPlan): TrainingCell[] {
  return presets.flatMap((preset) =>
    seeds.flatMap((seed) =>
      rates.flatMap((rate) => models.map((model) => ({ preset, model, seed, rate, epochs })))
    )
  );
}

type Progress = Pick<ProgressBar, "update" | "log">;

/** Where a run of the report is. */
export interface Place {
  readonly backend: Backend;
  readonly origin: Origin;
  /** The report's folder. */
  readonly out: string;
}

/**
 * Trains one after another, and leaves a file of each one's row. One that has its file is not repeated, and one that was
 * interrupted goes on from its checkpoint.
 *
 * @param sizes the sequences of each preset
 */
export async function measureTraining(
  plan: TrainingPlan,
  { backend, origin, out }: Place,
  progress: Progress,
  sizes = lessonSizes,
): Promise<void> {
  const folder = rowsFolder(out);
  await Deno.mkdir(folder, { recursive: true });
  const { workers } = plan, cells = cellsOf(plan);
  let lesson: Lesson | undefined, before: TrainingCell | undefined;
  for (const [i, cell] of cells.entries()) {
    const { preset, model, seed, rate } = cell;
    const title = `${labelOf({ model })}, ${preset}, seed ${seed}, rate ${rate} (${
      i + 1
    } of ${cells.length})`;
    if (await readRow(cell, backend.name, out)) {
      progress.log(`${title}: is done`);
      continue;
    }
    if (lesson === undefined || before?.preset !== preset || before.seed !== seed) {
      lesson = makeLesson(sizes[preset], seed);
    }
    before = cell;
    const checkpoint = `${folder}/${nameOf(cell, backend.name)}-workers${workers}.safetensors`;
    const student = { ...cell, config: presets[preset][model] };
    const how = { backend, workers, origin, checkpoint };
    await writeRow(await train(student, lesson, how, shower(title, i, cells.length, progress)), out);
    await absentAsUndefined(Deno.remove(checkpoint));
    progress.update(i + 1, cells.length);
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
