/**
 * What the comparison asks of an implementation.
 *
 * @module
 */
import type { Case } from "./weights.ts";

/** An implementation. */
export interface Peer {
  /** As the results have it. */
  readonly name: string;
  /** Takes over a case's weights. Rejects with the reason where the implementation can't run here. */
  open(subject: Case): Promise<Decoder>;
}

/** An implementation that holds a model and its state. */
export interface Decoder {
  /** The logits after each token, from the state before the first. */
  decode(tokens: readonly number[]): Promise<readonly Float32Array[]>;
  /**
   * Milliseconds a token, the mean of `count` in a row, each with its logits in host memory. A recurrent model
   * goes on from its state; a Transformer decodes the last token of `decode` again and again, so that the cache
   * stays as long as it is.
   */
  time(count: number): Promise<number>;
  /** Ends what would outlive the comparison. */
  close(): void | Promise<void>;
}

/** How a token is decoded. */
export interface Step {
  /** Its place in the sequence, from 0. */
  readonly position: number;
  /** Whether the state goes on to the next token; else it stays as it is. */
  readonly advance: boolean;
}

/** A decoder of what decodes one token at a time in this process. */
export function tokenDecoder(
  { mode, reset, step, close }: {
    readonly mode: Case["mode"];
    /** Back to the state before the first token. */
    reset(): void;
    step(token: number, step: Step): Float32Array | Promise<Float32Array>;
    close(): void | Promise<void>;
  },
): Decoder {
  const recurrent = mode === "recurrent";
  let last = 0;
  return {
    async decode(tokens) {
      reset();
      last = tokens.length - 1;
      const logits: Float32Array[] = [];
      for (const [position, token] of tokens.entries()) {
        // A copy, since an implementation may write all its logits into the same memory.
        logits.push((await step(token, { position, advance: recurrent || position < last })).slice());
      }
      return logits;
    },
    async time(count) {
      const again = { position: last, advance: recurrent };
      const start = performance.now();
      for (let i = 0; i < count; i++) await step(i % 64, again);
      return (performance.now() - start) / count;
    },
    close,
  };
}
