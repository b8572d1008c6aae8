/**
 * One model trained from the beginning to the end, so that a run that was killed goes on where it was.
 *
 * @module
 */
import {
  type AnyLanguageModel,
  type Backend,
  createReference,
  fit,
  type FitProgress,
  loadTree,
  lstmModel,
  parameterCount,
  rwkv,
  saveTree,
  transformer,
} from "@seqmix/seqmix";
import type { ModelName, PresetName } from "../measure/subjects.ts";
import { writeWhole } from "../measure/write_file.ts";
import { type KindAccuracy, kindAccuracy, type Lesson, ngramOrder } from "./lesson.ts";
import { predict } from "./predict.ts";

/** A point of a learning curve. */
export interface CurvePoint {
  readonly epoch: number;
  /** The mean loss of a token over the epoch, while it was trained on. */
  readonly trainLoss: number;
  readonly testLoss: number;
  /** On the test sequences, 0 to 1. */
  readonly accuracy: number;
}

/** How a training ended; losses are in nats a token. */
export interface TrainingRow {
  readonly preset: PresetName;
  readonly model: ModelName;
  readonly seed: number;
  readonly backend: string;
  readonly workers: number;
  /** Of the report's run that it was finished in, ISO 8601. */
  readonly date: string;
  readonly parameters: number;
  readonly epochs: number;
  readonly trainSequences: number;
  readonly testSequences: number;
  /** Those of the last epoch, as in `curve`. */
  readonly trainLoss: number;
  readonly testLoss: number;
  readonly accuracy: number;
  /** The best that is possible on the same test sequences. */
  readonly ceilingAccuracy: number;
  readonly ceilingLoss: number;
  readonly ngramOrder: number;
  readonly ngramAccuracy: number;
  readonly ngramLoss: number;
  readonly accuracyByKind: KindAccuracy;
  readonly ceilingByKind: KindAccuracy;
  readonly ngramByKind: KindAccuracy;
  /** All of it, evaluation included. */
  readonly seconds: number;
  /** Without evaluation. */
  readonly tokensPerS: number;
  readonly curve: readonly CurvePoint[];
}

/** What is trained. */
export interface Student {
  readonly preset: PresetName;
  readonly model: ModelName;
  readonly config: unknown;
  readonly seed: number;
}

/** How it is trained. */
export interface Schooling {
  readonly backend: Backend;
  readonly workers: number;
  readonly epochs: number;
  readonly date: string;
  /** The file that it goes on from, where it is there, and that it leaves; its folder has to be there. */
  readonly checkpoint: string;
}

/** Hears how far a training is; `resumed` is the epoch that it went on from, 0 for none. */
export type OnProgress = (at: FitProgress<unknown>, resumed: number) => void;

/** What is known of a training besides what `fit` keeps; goes with its checkpoint, as metadata. */
interface Diary {
  readonly curve: readonly CurvePoint[];
  readonly seconds: number;
  /** Of a training that is done. */
  readonly row?: TrainingRow;
}

const models = { rwkv, lstm: lstmModel, transformer } as Readonly<Record<ModelName, AnyLanguageModel>>;

/** The article's optimiser; the rest of its set-up are the defaults of `fit`. */
const recipe = {
  batchSize: 32,
  learningRate: 1e-3,
  maxNorm: 1,
  hyper: { beta1: 0.9, beta2: 0.95 },
};

/** Steps between two reports of progress. */
const every = 8;

/** Trains a model and evaluates it after each epoch; a training that is done already is not repeated. */
export async function train(
  { preset, model: name, config, seed }: Student,
  lesson: Lesson,
  { backend, workers, epochs, date, checkpoint }: Schooling,
  onProgress: OnProgress,
): Promise<TrainingRow> {
  const saved = await openCheckpoint(checkpoint);
  if (saved?.diary.row) return { ...saved.diary.row, date };
  let curve = saved?.diary.curve ?? [];
  const resumed = curve.length;
  const before = saved?.diary.seconds ?? 0, begun = performance.now();
  const model = models[name];
  const start = saved ? { resume: saved.bytes } : { config };
  const reports = fit(model, lesson, { ...start, ...recipe, seed, epochs, backend, workers, every });
  for await (const at of reports) {
    onProgress(at, resumed);
    if (at.test === null) continue;
    const { epoch, trainLoss, test: { loss: testLoss, accuracy } } = at;
    curve = [...curve, { epoch, trainLoss, testLoss, accuracy }];
    if (epoch < epochs) {
      await saveCheckpoint(checkpoint, at, { curve, seconds: before + (performance.now() - begun) / 1000 });
      continue;
    }
    const predicted = await predict(model, at.params, lesson.test);
    const row: TrainingRow = {
      preset,
      model: name,
      seed,
      backend: backend.name,
      workers,
      date,
      parameters: parameterCount(at.params),
      epochs,
      trainSequences: lesson.train.length,
      testSequences: lesson.test.length,
      trainLoss,
      testLoss,
      accuracy,
      ceilingAccuracy: lesson.ceiling.accuracy,
      ceilingLoss: lesson.ceiling.loss,
      ngramOrder,
      ngramAccuracy: lesson.ngram.accuracy,
      ngramLoss: lesson.ngram.loss,
      accuracyByKind: kindAccuracy(lesson.task, lesson.test, predicted),
      ceilingByKind: lesson.ceiling.byKind,
      ngramByKind: lesson.ngram.byKind,
      seconds: before + (performance.now() - begun) / 1000,
      tokensPerS: at.tokensPerSecond,
      curve,
    };
    await saveCheckpoint(checkpoint, at, { curve, seconds: row.seconds, row });
    backend.free([at.params, at.optimizer]);
    return row;
  }
  throw new Error(
    `Cannot train ${name}: ${checkpoint} must be of an unfinished training, current one is done`,
  );
}

/** The name that a training's diary has in its checkpoint's metadata. */
const diaryName = "seqmix.report";

async function openCheckpoint(path: string): Promise<{ bytes: Uint8Array; diary: Diary } | undefined> {
  let bytes;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  using host = createReference();
  return { bytes, diary: JSON.parse(loadTree(bytes, host).metadata[diaryName]) };
}

/** Writes a checkpoint of `fit` with the diary in it: one file, so that the two are never of different epochs. */
async function saveCheckpoint(path: string, at: FitProgress<unknown>, diary: Diary): Promise<void> {
  using host = createReference();
  const { tree, metadata } = loadTree(await at.checkpoint(), host);
  await writeWhole(path, saveTree(tree, { ...metadata, [diaryName]: JSON.stringify(diary) }));
}
