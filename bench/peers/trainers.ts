/**
 * Who trains: the library by its public `fit`, and PyTorch.
 *
 * @module
 */
import {
  type AnyLanguageModel,
  createWasm,
  fit,
  lstmModel,
  motifTask,
  put,
  rwkv,
  sampleSequences,
  transformer,
} from "@seqmix/seqmix";
import { startPython } from "./python.ts";
import { type Case, paramsOf } from "./weights.ts";

/** Sequences in a batch. */
export const batchSize = 32;

/** Of every step; the learning rate stays where it starts. */
const hyper = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxNorm: 1,
};

/** An implementation that trains. */
export interface Trainer {
  /** As the results have it. */
  readonly name: string;
  readonly threads: number;
  /** Takes over a case's weights. Rejects with the reason where the implementation can't run here. */
  open(subject: Case): Promise<Training>;
}

/** A training in progress, on one batch of sequences of the case's length. */
export interface Training {
  /** Takes steps: forward, loss, backward, clipping and AdamW. Answers with the loss before each. */
  take(steps: number): Promise<readonly number[]>;
  /** Takes steps for about so long, one at least; answers with how many a ms. None: it takes them one by one. */
  pace?(ms: number): Promise<number>;
  /** Ends what would outlive the comparison. */
  close(): Promise<void>;
}

/** Trains for about so long, and says how many steps a ms it took. */
export async function paceOf(training: Training, ms: number): Promise<number> {
  if (training.pace !== undefined) return training.pace(ms);
  const start = performance.now();
  let steps = 0, taken = 0;
  do {
    await training.take(1);
    steps++;
    taken = performance.now() - start;
  } while (taken < ms);
  return steps / taken;
}

/** The batch, a token more than is read: each one's target is the next. */
function batchOf({ length }: Case): number[][] {
  const sequences = sampleSequences(motifTask({}, 1), { count: batchSize, length: length + 1, seed: 2 });
  return sequences.map((tokens) => Array.from(tokens));
}

/** The library on its WebAssembly backend: in this thread, or in so many workers. */
export function seqmixTrainer(workers: number): Trainer {
  return {
    name: "seqmix-wasm",
    threads: workers,
    async open(subject) {
      const backend = await createWasm();
      const model = { rwkv, transformer, lstm: lstmModel }[subject.model] as AnyLanguageModel;
      const { learningRate, maxNorm, ...rest } = hyper;
      const reports = fit(model, { train: batchOf(subject) }, {
        params: await put(await paramsOf(subject), backend),
        backend,
        workers,
        batchSize,
        learningRate,
        maxNorm,
        hyper: rest,
        // An epoch is one batch, and so many that the learning rate does not go down.
        epochs: 1e9,
      });
      return {
        async take(steps) {
          const losses: number[] = [];
          while (losses.length < steps) losses.push(...(await reports.next()).value!.losses);
          return losses;
        },
        async close() {
          await reports.return();
          backend[Symbol.dispose]();
        },
      };
    },
  };
}

/** PyTorch, eager, of the system's Python, on one thread; RWKV's WKV as the loop over `key[:, t]` that people write. */
export const pyTorchTrainer: Trainer = pyTorch("pytorch", false);

/** The same with the one change to that loop that makes its gradient cheaper: over `key.unbind(1)`. */
export const pyTorchUnbound: Trainer = pyTorch("pytorch-unbind", true);

function pyTorch(name: string, unbind: boolean): Trainer {
  return {
    name,
    threads: 1,
    async open(subject) {
      const options = { hyper, ids: batchOf(subject), unbind };
      const { ask, close } = await startPython("pytorch_training_peer.py", subject, options);
      return { take: (steps) => ask<number[]>(steps), close };
    },
  };
}
