/**
 * The article's training, for every model, seed and preset that is asked for.
 *
 * @module
 */
import { type Backend, presets } from "@seqmix/seqmix";
import { duration } from "../report/format.ts";
import type { ProgressBar } from "../report/progress.ts";
import { labelOf, type ModelName, type PresetName } from "../measure/subjects.ts";
import { type Lesson, type LessonSize, makeLesson } from "./lesson.ts";
import { type OnProgress, type Student, train, type TrainingRow } from "./train.ts";

/** What to train and how. */
export interface TrainingPlan {
  readonly presets: readonly PresetName[];
  readonly models: readonly ModelName[];
  /** How many; they are 1, 2 and so on. */
  readonly seeds: number;
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

/** A training of a plan. */
type Cell = Omit<Student, "config">;

/** The trainings of a plan, the models in turn for each seed, so that what is done is comparable early. */
function cellsOf({ presets, models, seeds }: TrainingPlan): Cell[] {
  return presets.flatMap((preset) =>
    Array.from({ length: seeds }, (_, i) => models.map((model) => ({ preset, model, seed: i + 1 }))).flat()
  );
}

/** A file's name for all that decides how a training goes. */
function checkpointName({ preset, model, seed }: Cell, epochs: number, backend: string): string {
  return `${preset}-${model}-seed${seed}-epochs${epochs}-${backend}.safetensors`;
}

/** The files that a plan's trainings leave. */
export function checkpointNames(plan: TrainingPlan, backend: string): string[] {
  return cellsOf(plan).map((cell) => checkpointName(cell, plan.epochs, backend));
}

type Progress = Pick<ProgressBar, "update" | "log">;

/** Where a run of the report is. */
export interface Place {
  readonly backend: Backend;
  readonly date: string;
  /** The folder of the checkpoints, which has to be there. */
  readonly checkpoints: string;
}

/**
 * Trains one after another. A run that was interrupted leaves its checkpoints; the same plan goes on from them, and repeats
 * nothing that is done.
 *
 * @param sizes the sequences of each preset
 */
export async function measureTraining(
  plan: TrainingPlan,
  { backend, date, checkpoints }: Place,
  progress: Progress,
  sizes = lessonSizes,
): Promise<TrainingRow[]> {
  const { epochs, workers } = plan;
  const rows: TrainingRow[] = [];
  const cells = cellsOf(plan);
  let lesson: Lesson | undefined, before: Cell | undefined;
  for (const cell of cells) {
    const { preset, model, seed } = cell;
    if (lesson === undefined || before?.preset !== preset || before.seed !== seed) {
      lesson = makeLesson(sizes[preset], seed);
    }
    before = cell;
    const title = `${labelOf({ model })}, ${preset}, seed ${seed} (${rows.length + 1} of ${cells.length})`;
    const checkpoint = `${checkpoints}/${checkpointName(cell, epochs, backend.name)}`;
    rows.push(
      await train(
        { ...cell, config: presets[preset][model] },
        lesson,
        { backend, workers, epochs, date, checkpoint },
        shower(title, rows.length, cells.length, progress),
      ),
    );
    progress.update(rows.length, cells.length);
  }
  return rows;
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
