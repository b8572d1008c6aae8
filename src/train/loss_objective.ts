/**
 * Functions as an objective: the mean loss over examples of any kind.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import { checkInteger, isTensor, show, showShape } from "../check.ts";
import { engineOf } from "../engine.ts";
import { eventLoop } from "../event_loop.ts";
import { batchesOf, type Rows } from "../models/batches.ts";
import { reshape } from "../ops/axes/mod.ts";
import { compile } from "../runtime/compile.ts";
import type { Backend, Tensor } from "../tensor.ts";
import { tensor } from "../transfer.ts";
import { backendOf, sizeOf } from "../tree.ts";
import { batchOrder } from "./batches.ts";
import { flatten, stack, upload } from "./collate.ts";
import { fingerprintOfExamples } from "./fingerprint.ts";
import { type BatchLoss, boundsOf, type Objective, type Part, partsFor } from "./objective.ts";
import type { Loss, LossEvaluation } from "./loss.ts";
import type { Settings } from "./run.ts";

type AnyLoss<Params> = Loss<Params, never>;

/** Examples that are computed together. */
interface ExampleBatch {
  readonly examples: readonly unknown[];
  readonly weights: readonly number[];
  /** The length that they are padded to. */
  readonly length: number;
  /** The number of examples before it, from the first step on. */
  readonly draw: number;
}

/**
 * A part of a batch as it is sent to a worker: already divided into the parts that are computed one after the other.
 */
interface SentBatch {
  readonly pieces: readonly {
    /** A flattened batch. */
    readonly numbers: unknown;
    readonly draw: number;
    readonly share: number;
  }[];
}

const action = "fit";

/** Numbers of examples from here on wrap around: single precision represents all smaller integers. */
const draws = 2 ** 24;

/** The tensors of a part. */
interface PartTensors {
  readonly batch: unknown;
  readonly step: Tensor;
}

function tensorsOf(numbers: unknown, draw: number, backend: Backend): PartTensors {
  return backend.scope(() => ({
    batch: upload(numbers, backend),
    step: tensor([draw % draws], [], backend),
  }));
}

/** Calls a loss and checks its result, which may have axes of size 1. */
function meanLoss<Params>(
  loss: AnyLoss<Params>,
  params: Params,
  { batch, step }: PartTensors,
  seed: number,
  training: boolean,
): Tensor {
  const value: unknown = loss(params, batch as never, { seed, step, training });
  if (isTensor(value) && sizeOf(value.shape) === 1) {
    return value.shape.length === 0 ? value : reshape(value, []);
  }
  throw new TypeError(
    `Cannot ${action}: loss must give a single number, current ${
      isTensor(value) ? `shape is ${showShape(value.shape)}` : `value is ${show(value)}`
    }`,
  );
}

/** The loss as a worker computes it. */
export function sentLoss<Params>(loss: AnyLoss<Params>, seed: number): BatchLoss<Params, SentBatch> {
  return {
    loss: (params, _, tensors) => [meanLoss(loss, params, tensors as PartTensors, seed, true), null],
    inputsOf: ({ pieces: [{ numbers, draw }] }, backend) => ({
      tensors: tensorsOf(numbers, draw, backend),
      lists: [],
    }),
    partsOf: (_, { pieces }) => pieces.length,
    split: ({ pieces }) => pieces.map((piece) => ({ pieces: [piece], share: piece.share })),
    rowsOf: () => 0,
  };
}

/** The examples of a training, and how they become batches. */
export interface Examples {
  readonly train: readonly unknown[];
  readonly test?: readonly unknown[] | undefined;
  readonly collate?: ((examples: never, length: number) => unknown) | undefined;
  readonly lengthOf?: ((example: never) => number) | undefined;
  readonly weightOf?: ((example: never) => number) | undefined;
  readonly lossName?: string | undefined;
}

/** Training of a function on examples. */
export function lossObjective<Params>(
  loss: AnyLoss<Params>,
  { train, test, collate = stack, lengthOf = defaultLength, weightOf = lengthOf, lossName }: Examples,
  { batchSize, seed }: Settings,
): Objective<Params, ExampleBatch, LossEvaluation> {
  let hash: string | undefined;
  // A sequence of n targets has n + 1 ids; examples are batched as such sequences are.
  const longerOf = (name: string, examples: readonly unknown[]) =>
    integersOf(`length of ${name}`, examples, lengthOf).map((length) => length + 1);
  const longer = longerOf("train", train), testLonger = test && longerOf("test", test);
  const weights = integersOf("weight of train", train, weightOf);
  const testWeights = test && integersOf("weight of test", test, weightOf);
  const batchOf = (
    examples: readonly unknown[],
    weights: readonly number[],
    { indices, length }: Rows,
    draw: number,
  ): ExampleBatch => ({
    examples: indices.map((i) => examples[i]),
    weights: indices.map((i) => weights[i]),
    length: length - 1,
    draw,
  });
  const numbersOf = ({ examples, length }: ExampleBatch) => flatten(collate(examples as never, length));
  const tensorsOfBatch = (batch: ExampleBatch, backend: Backend) =>
    tensorsOf(numbersOf(batch), batch.draw, backend);
  const partsOf = (params: Params, { examples, length }: ExampleBatch, backend: Backend) =>
    partsFor(params, examples.length, length, backend);
  return {
    loss: (params, _, tensors) => [meanLoss(loss, params, tensors as PartTensors, seed, true), null],
    inputsOf: (batch, backend) => ({ tensors: tensorsOfBatch(batch, backend), lists: [] }),
    partsOf,
    split: splitExamples,
    rowsOf: ({ examples }) => examples.length,
    name: "a loss function",
    source: { kind: "loss", name: lossName, seed },
    usesMailbox: false,
    fingerprint: () => hash ??= fingerprintOfExamples(train),
    orderOf: (epoch) => batchOrder(longer, batchSize, seed, epoch),
    batchAt: (rows, draw) => batchOf(train, weights, rows, draw),
    lengthOf: ({ weights }) => sumOf(weights),
    messageOf: (part, params, backend): SentBatch & { readonly share: number } => ({
      share: part.share,
      pieces: splitExamples(part, partsOf(params, part, backend)).map((piece) => ({
        numbers: numbersOf(piece),
        draw: piece.draw,
        share: piece.share,
      })),
    }),
    async evaluate(params, signal) {
      const backend = backendOf(action, "params", params);
      const batches = batchesOf(testLonger!, batchSize);
      let draw = 0;
      const parts = batches.flatMap((rows) => {
        const batch = batchOf(test!, testWeights!, rows, draw);
        draw += batchSize;
        return splitExamples(batch, partsOf(params, batch, backend));
      });
      const score = (params: Params, tensors: PartTensors) => meanLoss(loss, params, tensors, seed, false);
      const total = await totalLoss(score, params, parts, tensorsOfBatch, backend, signal);
      return { loss: total / sumOf(testWeights!) };
    },
  };
}

/** The sum of the parts' mean losses times their weights. */
async function totalLoss<Params>(
  score: (params: Params, tensors: PartTensors) => Tensor,
  params: Params,
  parts: readonly ExampleBatch[],
  tensorsOf: (part: ExampleBatch, backend: Backend) => PartTensors,
  backend: Backend,
  signal: AbortSignalLike | undefined,
): Promise<number> {
  let total = 0;
  using compiled = compile(score);
  for (const part of parts) {
    const turn = eventLoop.pause(signal);
    if (turn !== undefined) await turn;
    const tensors = tensorsOf(part, backend);
    try {
      const value = await compiled.withTurns([params, tensors], signal);
      try {
        const [mean] = await engineOf(backend).download(value);
        total += mean * sumOf(part.weights);
      } finally {
        backend.free(value);
      }
    } finally {
      backend.free(tensors);
    }
  }
  return total;
}

function splitExamples(
  { examples, weights, length, draw }: ExampleBatch,
  parts: number,
): Part<ExampleBatch>[] {
  const total = sumOf(weights);
  return boundsOf(examples.length, parts).map(({ start, end }) => {
    const own = weights.slice(start, end);
    return {
      examples: examples.slice(start, end),
      weights: own,
      length,
      draw: draw + start,
      share: sumOf(own) / total,
    };
  });
}

function defaultLength(example: unknown): number {
  return Array.isArray(example) || ArrayBuffer.isView(example) ? (example as unknown as unknown[]).length : 1;
}

/** An integer of at least 1 for each example. */
function integersOf(
  name: string,
  examples: readonly unknown[],
  integerOf: (example: never) => number,
): number[] {
  return examples.map((example, i) => {
    const integer = integerOf(example as never);
    checkInteger(action, `${name}[${i}]`, integer, 1);
    return integer;
  });
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
