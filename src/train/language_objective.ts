/**
 * Language models as an objective: the cross-entropy of the next token over sequences of ids.
 *
 * @module
 */
import { type Batch, batchOf, type Rows, tokensOf } from "../models/batches.ts";
import { evaluate, type Evaluation } from "../models/evaluate.ts";
import type { LanguageModel } from "../models/language_model.ts";
import { crossEntropy } from "../ops/cross_entropy/mod.ts";
import { batchOrder, splitBatch } from "./batches.ts";
import { fingerprint } from "./fingerprint.ts";
import { libraryModels } from "./library_models.ts";
import { type BatchLoss, type Objective, partsFor } from "./objective.ts";
import type { Settings } from "./run.ts";

const action = "fit";

/** The mean loss of a batch's tokens. */
export function languageLoss<Params, State>(
  model: LanguageModel<never, Params, State>,
  carriesState = false,
): BatchLoss<Params, Batch> {
  return {
    loss(
      params,
      state,
      _,
      inputs: Batch["inputs"],
      targets: Batch["targets"],
      weights: Batch["weights"],
    ) {
      const before = state as State | null ?? model.initialState(params, inputs.length);
      const { logits, state: next } = model.forward(params, inputs, before);
      return [crossEntropy(logits, targets, weights), carriesState ? next : null];
    },
    inputsOf: ({ inputs, targets, weights }) => ({ tensors: null, lists: [inputs, targets, weights] }),
    partsOf: (params, { inputs }, backend) => partsFor(params, inputs.length, inputs[0].length, backend),
    split: splitBatch,
    rowsOf: ({ inputs }) => inputs.length,
  };
}

/** The sequences that a language model is trained and tested on. */
interface Sequences {
  readonly train: readonly ArrayLike<number>[];
  readonly test?: readonly ArrayLike<number>[] | undefined;
}

/** Training of a language model on sequences. */
export function languageObjective<Params, State>(
  model: LanguageModel<never, Params, State>,
  { train, test }: Sequences,
  { batchSize, seed, carryState }: Settings,
): Objective<Params, Batch, Evaluation> {
  const lengths = train.map(({ length }) => length);
  const inOrder = carryState ? windowsInOrder(train, batchSize) : undefined;
  let hash: string | undefined;
  const isLibraryModel = libraryModels.includes(model as LanguageModel<never, unknown, unknown>);
  return {
    ...languageLoss(model, carryState),
    name: model.name,
    source: { kind: "model", name: model.name, isLibraryModel },
    usesMailbox: true,
    fingerprint: () => hash ??= fingerprint(train),
    orderOf: (epoch) => inOrder ?? batchOrder(lengths, batchSize, seed, epoch),
    batchAt: (rows) => batchOf(train, rows),
    lengthOf: tokensOf,
    messageOf: (part) => part,
    evaluate: (params, signal) => evaluate(model, params, test!, { signal }),
  };
}

/** Batches of consecutive windows, each of which continues the one in its row of the batch before. */
function windowsInOrder(train: readonly ArrayLike<number>[], batchSize: number): Rows[] {
  if (train.length % batchSize !== 0) {
    throw new RangeError(
      `Cannot ${action}: with carryState, train must have a multiple of ${batchSize} (batchSize) sequences, ` +
        `current number is ${train.length}`,
    );
  }
  train.forEach((window, i) => {
    const first = train[i - i % batchSize], before = train[i - batchSize];
    if (window.length !== first.length) {
      throw new TypeError(
        `Cannot ${action}: with carryState, all sequences of a batch must have one length, current lengths of ` +
          `train[${i - i % batchSize}] and train[${i}] are ${first.length} and ${window.length}`,
      );
    }
    if (before !== undefined && before[before.length - 1] !== window[0]) {
      throw new TypeError(
        `Cannot ${action}: with carryState, train[${i}] must begin with ${
          before[before.length - 1]
        }, the last id ` +
          `of train[${i - batchSize}], current first id is ${window[0]}`,
      );
    }
  });
  return Array.from({ length: train.length / batchSize }, (_, k) => ({
    indices: Array.from({ length: batchSize }, (_, b) => k * batchSize + b),
    length: train[k * batchSize].length,
  }));
}
