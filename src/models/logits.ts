/**
 * Changes logits before an id is drawn, depending on how often each id was drawn before.
 *
 * @module
 */
import { checkShape, sharedBackend, show } from "../check.ts";
import type { Names } from "../names.ts";
import { add, multiply, relu } from "../ops/elementwise/mod.ts";
import { linear } from "../ops/linear/mod.ts";
import type { Tensor } from "../tensor.ts";
import { tensor } from "../transfer.ts";

/** Options that change logits before an id is drawn from them. */
export interface LogitsOptions {
  /**
   * Subtracted from the logit of an id once for each time that it was drawn; default 0. As in most services, only ids
   * drawn in this call count, not those of the prompt or of earlier calls.
   */
  readonly frequencyPenalty?: number | undefined;
  /** Subtracted once from the logit of every id that was drawn in this call; default 0. */
  readonly presencePenalty?: number | undefined;
  /**
   * Replaces the logits, after the penalties and before temperature, top-k and top-p: a pure function from tensors
   * `[1, V]` on the model's backend to another one. It is compiled ({@linkcode compile}), so it may only use
   * operations. `counts` holds the number of times that each id was drawn in this call.
   */
  readonly transform?: ((logits: Tensor, counts: Tensor) => Tensor) | undefined;
}

export const logitsNames: Names<LogitsOptions> = { frequencyPenalty: 0, presencePenalty: 0, transform: 0 };

/** {@linkcode LogitsOptions} with their defaults. */
export interface LogitsChange extends LogitsOptions {
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
}

/** Checks the options, and fills in defaults. */
export function checkLogitsOptions(action: string, options: LogitsOptions): LogitsChange {
  const { frequencyPenalty = 0, presencePenalty = 0, transform } = options;
  for (const [name, value] of Object.entries({ frequencyPenalty, presencePenalty })) {
    if (typeof value !== "number") {
      throw new TypeError(`Cannot ${action}: ${name} must be a number, current value is ${show(value)}`);
    }
    if (!Number.isFinite(value)) {
      throw new RangeError(`Cannot ${action}: ${name} must be finite, current value is ${value}`);
    }
  }
  if (transform !== undefined && typeof transform !== "function") {
    throw new TypeError(
      `Cannot ${action}: transform must be a function, current value is ${show(transform)}`,
    );
  }
  return { frequencyPenalty, presencePenalty, transform };
}

/** Whether logits are changed at all. */
export function changesLogits({ frequencyPenalty, presencePenalty, transform }: LogitsChange): boolean {
  return frequencyPenalty !== 0 || presencePenalty !== 0 || transform !== undefined;
}

/** Applies penalties and `transform` to logits `[1, V]`, given the number of times that each id was drawn. */
export function changeLogits(action: string, logits: Tensor, counts: Tensor, change: LogitsChange): Tensor {
  const { frequencyPenalty, presencePenalty, transform } = change;
  const penalized = penalize(logits, counts, frequencyPenalty, presencePenalty);
  if (transform === undefined) return penalized;
  const y = transform(penalized, counts);
  checkShape(action, "result of transform", y, ...logits.shape as [number, number]);
  sharedBackend(action, "logits, result of transform", logits, y);
  return y;
}

/** logits - frequency·counts - presence·[counts > 0] */
function penalize(logits: Tensor, counts: Tensor, frequency: number, presence: number): Tensor {
  let y = logits;
  if (frequency !== 0) y = add(y, multiply(counts, filled(counts, -frequency)));
  if (presence !== 0) {
    // min(count, 1) = count - max(count - 1, 0)
    const beyond = relu(add(counts, filled(counts, -1)));
    const drawn = add(counts, multiply(beyond, filled(counts, -1)));
    y = add(y, multiply(drawn, filled(counts, -presence)));
  }
  return y;
}

/** Adds 1 to the count of an id `[1, 1]`. */
export function countOne(counts: Tensor, id: Tensor): Tensor {
  const { backend, shape: [, vocabulary] } = counts;
  const ids = Array.from({ length: vocabulary }, (_, i) => i);
  const factor = (sign: number) =>
    linear(
      id,
      tensor(ids.map(() => sign), [vocabulary, 1], backend),
      tensor(ids.map((i) => 1 - sign * i), [vocabulary], backend),
    );
  // 1 at the id, and 0 or less elsewhere: (1 + id - i)·(1 - id + i) = 1 - (id - i)²
  return add(counts, relu(multiply(factor(1), factor(-1))));
}

function filled({ shape, backend }: Tensor, value: number): Tensor {
  return tensor(Array(shape[1]).fill(value), shape, backend);
}
