/**
 * The interface of the compared implementations, and an implementation in another process.
 *
 * @module
 */
import type { ServerProcess } from "../measure/process.ts";
import { taskSequence } from "../measure/subjects.ts";
import { clocked, type Timed } from "../measure/timer.ts";
import type { Case } from "./case.ts";

/** An implementation of decoding or of training of a `Subject`. */
export interface Peer<Subject = Case> {
  /** The name in the results. */
  readonly name: string;
  /** Whether it is this library, which must be right; others that are wrong or can't run here are left out. */
  readonly own?: boolean;
  /** Loads a case's weights. Rejects with the reason if the implementation can't run here. */
  open(subject: Subject): Promise<OpenPeer>;
}

/** A loaded implementation, timed for a token or for a step of training. */
export interface OpenPeer extends Timed {
  /** The outputs to compare: the logits after each token, or the losses of the first steps. */
  outputs(): Promise<readonly ArrayLike<number>[]>;
  /** Frees everything that would outlive the comparison. */
  close(): void | Promise<void>;
}

/** A request to a process with a loaded model: its outputs, or the time of a number of runs. */
export type PeerRequest = "outputs" | number;

/** A model in another process, which measures its own time. */
export function remotePeer({ request, close }: ServerProcess): OpenPeer {
  const send = <Reply>(what: PeerRequest) => request<Reply>(what);
  return { outputs: () => send("outputs"), time: (times) => send(times), close };
}

/** The position of a token and the use of its state. */
interface Step {
  /** The position in the sequence, from 0. */
  readonly position: number;
  /** Whether the state is carried over to the next token, or else discarded. */
  readonly advance: boolean;
}

/**
 * An implementation that decodes tokens in this process, timed until the logits of each are in host memory. A
 * recurrent model continues from its state; a Transformer repeats the last token, so that the length of the cache
 * stays constant.
 */
export function tokenPeer(
  { mode, length }: Case,
  { reset, step, close }: {
    /** Resets to the state before the first token. */
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
        // A copy, since an implementation may reuse the memory of its logits.
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
