/**
 * What the comparison asks of an implementation, and an implementation in a process of its own.
 *
 * @module
 */
import type { Answering } from "../measure/process.ts";
import { taskSequence } from "../measure/subjects.ts";
import { clocked, type Timed } from "../measure/timer.ts";
import type { Case } from "./case.ts";

/** An implementation that decodes, or one that trains. */
export interface Peer {
  /** As the results have it. */
  readonly name: string;
  /** Whether it is this library, which has to be right; another that is wrong or can't run here is left out. */
  readonly own?: boolean;
  /** Takes over a case's weights. Rejects with the reason where the implementation can't run here. */
  open(subject: Case): Promise<OpenPeer>;
}

/** An implementation that holds a model, and is timed for a token, or for a step of training. */
export interface OpenPeer extends Timed {
  /** What has to be the same for all: the logits after each token, or the losses of the first steps. */
  outputs(): Promise<readonly ArrayLike<number>[]>;
  /** Ends what would outlive the comparison. */
  close(): void | Promise<void>;
}

/** What a process that holds a model is asked: its outputs, or the time of so many runs. */
export type PeerRequest = "outputs" | number;

/** A model in another process, which has a clock of its own. */
export function remotePeer({ ask, close }: Answering): OpenPeer {
  const request = <Answer>(what: PeerRequest) => ask<Answer>(what);
  return { outputs: () => request("outputs"), time: (times) => request(times), close };
}

/** How a token is decoded. */
export interface Step {
  /** Its place in the sequence, from 0. */
  readonly position: number;
  /** Whether the state goes on to the next token; else it stays as it is. */
  readonly advance: boolean;
}

/**
 * What decodes one token at a time in this process, timed with its logits in host memory after each. A recurrent model
 * goes on from its state; a Transformer decodes the last token again and again, so that the cache stays as long as it is.
 */
export function tokenPeer(
  { mode, length }: Case,
  { reset, step, close }: {
    /** Back to the state before the first token. */
    reset(): void;
    step(token: number, step: Step): Float32Array | Promise<Float32Array>;
    close(): void | Promise<void>;
  },
): OpenPeer {
  const recurrent = mode === "recurrent", last = length - 1;
  return {
    async outputs() {
      reset();
      const logits: Float32Array[] = [];
      for (const [position, token] of taskSequence(length).entries()) {
        // A copy, since an implementation may write all its logits into the same memory.
        logits.push((await step(token, { position, advance: recurrent || position < last })).slice());
      }
      return logits;
    },
    ...clocked(async (times) => {
      for (let i = 0; i < times; i++) await step(i % 64, { position: last, advance: recurrent });
    }),
    close,
  };
}
