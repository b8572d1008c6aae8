/**
 * Trains one model from beginning to end, with checkpoints so that an interrupted run can resume.
 *
 * @module
 */
import {
  type AnyLanguageModel,
  type Backend,
  createReference,
  evaluate,
  fit,
  type FitProgress,
  loadTree,
  lstmModel,
  parameterCount,
  rwkv,
  saveTree,
  transformer,
} from "@seqmix/seqmix";
import type { Origin } from "../measure/machine.ts";
import type { ModelName } from "../measure/subjects.ts";
import { writeWhole } from "../measure/write_file.ts";
import { type Dataset, kindAccuracy, ngramOrder } from "./dataset.ts";
import { predict } from "./predict.ts";
import type { CurvePoint, TrainingCell, TrainingRow } from "./row.ts";
import { absentAsUndefined } from "./rows.ts";

/** The setup of a training. */
interface TrainingSetup {
  /** The sizes of the model. */
  readonly config: unknown;
  readonly backend: Backend;
  readonly workers: number;
  readonly origin: Origin;
  /** The file that it resumes from, if it exists, and writes after each epoch; its folder must exist. */
  readonly checkpoint: string;
}

/** Receives the progress of a training; `resumed` is the epoch that it resumed from, or 0. */
export type OnProgress = (at: FitProgress<unknown>, resumed: number) => void;

/** The history of a training in addition to the state of `fit`; stored as metadata in its checkpoint. */
interface History {
  readonly curve: readonly CurvePoint[];
  readonly seconds: number;
}

const models = { rwkv, lstm: lstmModel, transformer } as Readonly<Record<ModelName, AnyLanguageModel>>;

/** The article's optimiser; everything else is a default of `fit`. */
const recipe = {
  batchSize: 32,
  maxNorm: 1,
  hyper: { beta1: 0.9, beta2: 0.95 },
};

/** The number of steps between reports of progress. */
const every = 8;

/** Trains a model and evaluates it after each epoch. */
export async function train(
  cell: TrainingCell,
  dataset: Dataset,
  { config, backend, workers, origin, checkpoint }: TrainingSetup,
  onProgress: OnProgress,
): Promise<TrainingRow> {
  const { model: name, seed, rate, epochs } = cell;
  const saved = await openCheckpoint(checkpoint);
  let curve = saved?.history.curve ?? [];
  const resumed = curve.length;
  const before = saved?.history.seconds ?? 0, begun = performance.now();
  const model = models[name];
  const start = saved ? { resume: saved.bytes } : { config };
  const reports = fit(model, dataset, {
    ...start,
    ...recipe,
    learningRate: rate,
    seed,
    epochs,
    backend,
    workers,
    every,
  });
  for await (const at of reports) {
    onProgress(at, resumed);
    if (at.test === null) continue;
    const { epoch, trainLoss, test: { loss: testLoss, accuracy } } = at;
    curve = [...curve, { epoch, trainLoss, testLoss, accuracy }];
    if (epoch < epochs) {
      await saveCheckpoint(checkpoint, at, { curve, seconds: before + (performance.now() - begun) / 1000 });
      continue;
    }
    const predicted = await predict(model, at.params, dataset.test);
    const validation = await evaluate(model, at.params, dataset.validation);
    const row: TrainingRow = {
      ...cell,
      backend: backend.name,
      workers,
      origin,
      parameters: parameterCount(at.params),
      trainSequences: dataset.train.length,
      testSequences: dataset.test.length,
      trainLoss,
      testLoss,
      accuracy,
      validationLoss: validation.loss,
      validationAccuracy: validation.accuracy,
      ceilingAccuracy: dataset.ceiling.accuracy,
      ceilingLoss: dataset.ceiling.loss,
      ngramOrder,
      ngramAccuracy: dataset.ngram.accuracy,
      ngramLoss: dataset.ngram.loss,
      accuracyByKind: kindAccuracy(dataset.task, dataset.test, predicted),
      ceilingByKind: dataset.ceiling.byKind,
      ngramByKind: dataset.ngram.byKind,
      seconds: before + (performance.now() - begun) / 1000,
      tokensPerS: at.tokensPerSecond,
      curve,
    };
    backend.free([at.params, at.optimizer]);
    return row;
  }
  throw new Error(
    `Cannot train ${name}: ${checkpoint} must be of an unfinished training, current one is finished`,
  );
}

/** The key of the history in the checkpoint's metadata. */
const historyName = "seqmix.report";

async function openCheckpoint(path: string): Promise<{ bytes: Uint8Array; history: History } | undefined> {
  const bytes = await absentAsUndefined(Deno.readFile(path));
  if (bytes === undefined) return undefined;
  using host = createReference();
  return { bytes, history: JSON.parse(loadTree(bytes, host).metadata[historyName]) };
}

/** Writes a checkpoint of `fit` including the history: a single file, so that both are always of the same epoch. */
async function saveCheckpoint(path: string, at: FitProgress<unknown>, history: History): Promise<void> {
  using host = createReference();
  const { tree, metadata } = loadTree(await at.checkpoint(), host);
  await writeWhole(path, saveTree(tree, { ...metadata, [historyName]: JSON.stringify(history) }));
}
