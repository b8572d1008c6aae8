/**
 * Who trains: the library, and PyTorch, each in a process of its own.
 *
 * @module
 */
import { motifTask, sampleSequences } from "@seqmix/seqmix";
import { type PeerProcess, startProcess } from "./process.ts";
import { startPython } from "./python.ts";
import type { Case } from "./weights.ts";

/** Sequences in a batch. */
export const batchSize = 32;

/** Of every step; the learning rate stays where it starts. */
export const hyper = {
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
  /** Takes steps for about so many ms, one at least; answers with how many a ms. */
  pace(ms: number): Promise<number>;
  /** Ends what would outlive the comparison. */
  close(): Promise<void>;
}

/** What a process that trains is asked for. */
export type TrainingRequest = { readonly take: number } | { readonly pace: number };

/** What a process of the library's is told as it starts. */
export interface TrainingOrder extends Pick<Case, "model" | "preset" | "length"> {
  readonly workers: number;
}

/** The batch, a token more than is read: each one's target is the next. */
export function trainingBatch(length: number): number[][] {
  const sequences = sampleSequences(motifTask({}, 1), { count: batchSize, length: length + 1, seed: 2 });
  return sequences.map((tokens) => Array.from(tokens));
}

/** The library on its WebAssembly backend, with so many workers. */
export function seqmixTrainer(workers: number): Trainer {
  return {
    name: "seqmix-wasm",
    threads: workers,
    open: ({ model, preset, length }) => {
      const order: TrainingOrder = { model, preset, length, workers };
      const script = new URL("./training_process.ts", import.meta.url).href;
      const args = ["run", "-A", "--no-check", script, JSON.stringify(order)];
      return Promise.resolve(trainingOf(startProcess(Deno.execPath(), args)));
    },
  };
}

/**
 * Two processes that train a model each: what two workers, who share every batch, could reach on this machine at best. Two
 * cores that are busy at once share caches and memory, and often a clock.
 */
export const apartTrainer: Trainer = {
  name: "seqmix-wasm-apart",
  threads: 2,
  async open(subject) {
    const one = seqmixTrainer(1);
    const both = [await one.open(subject), await one.open(subject)];
    return {
      take: both[0].take,
      async pace(ms) {
        const [a, b] = await Promise.all(both.map((each) => each.pace(ms)));
        return a + b;
      },
      async close() {
        await Promise.all(both.map((each) => each.close()));
      },
    };
  },
};

/** PyTorch, eager, of the system's Python, on one thread; RWKV's WKV as the loop over `key[:, t]` that people write. */
export const pyTorchTrainer: Trainer = pyTorch("pytorch", false);

/** The same with the one change to that loop that makes its gradient cheaper: over `key.unbind(1)`. */
export const pyTorchUnbound: Trainer = pyTorch("pytorch-unbind", true);

function pyTorch(name: string, unbind: boolean): Trainer {
  return {
    name,
    threads: 1,
    async open(subject) {
      const options = { hyper, ids: trainingBatch(subject.length), unbind };
      return trainingOf(await startPython("pytorch_training_peer.py", subject, options));
    },
  };
}

function trainingOf({ ask, close }: PeerProcess): Training {
  return {
    take: (take) => ask({ take } satisfies TrainingRequest),
    pace: (pace) => ask({ pace } satisfies TrainingRequest),
    close,
  };
}
