import type { AbortSignalLike } from "../abort.ts";
import { engineOf } from "../engine.ts";
import { valueAndGrad } from "../autodiff/mod.ts";
import type { Batch } from "../models/batches.ts";
import type { LanguageModel } from "../models/language_model.ts";
import { crossEntropy } from "../ops/cross_entropy/mod.ts";
import { add, multiply } from "../ops/elementwise/mod.ts";
import { compile, type Compiled } from "../runtime/compile.ts";
import type { Backend, Floats, Tensor } from "../tensor.ts";
import { tensor } from "../transfer.ts";
import { sizeOf, tensorsOf, withTensors } from "../tree.ts";
import { type Part, splitBatch } from "./batches.ts";
import { ravel } from "./ravel.ts";

/** A mean loss, and its gradient. */
interface LossAndGrads<Params> {
  readonly value: Tensor;
  readonly grads: Params;
}

/** Maps the parameters, a part of a batch, its share of the batch and the sum of the earlier parts to the new sum. */
export type PartGradient<Params> = Compiled<
  [
    params: Params,
    inputs: Batch["inputs"],
    targets: Batch["targets"],
    weights: Batch["weights"],
    share: Tensor | null,
    before: LossAndGrads<Params> | null,
  ],
  LossAndGrads<Params>
>;

/** The mean loss of a batch's tokens, with every sequence from the initial state, times a share; and its gradient. */
export function lossAndGrads<Params, State>(
  model: LanguageModel<never, Params, State>,
  params: Params,
  { inputs, targets, weights }: Batch,
  share: Tensor | null = null,
): LossAndGrads<Params> {
  return valueAndGrad((params) => {
    const { logits } = model.forward(params, inputs, model.initialState(params, inputs.length));
    const loss = crossEntropy(logits, targets, weights);
    return share === null ? loss : multiply(loss, share);
  }, params);
}

/** {@linkcode lossAndGrads} of a batch, part by part. */
export function partGradient<Params, State>(
  model: LanguageModel<never, Params, State>,
): PartGradient<Params> {
  return compile((params, inputs, targets, weights, share, before) => {
    const found = lossAndGrads(model, params, { inputs, targets, weights }, share);
    if (before === null) return found;
    return { value: add(before.value, found.value), grads: sumOf(before.grads, found.grads) };
  });
}

function sumOf<P>(a: P, b: P): P {
  const others = tensorsOf(b);
  return withTensors(a, tensorsOf(a).map((t, i) => add(t, others[i])));
}

/**
 * The mean loss of a batch's tokens and its gradient; for a part of a batch, its share of them. If computing keeps
 * the caller's thread busy, the batch is split into parts of whole sequences, so that no kernel runs for long. The
 * split depends on sizes and not on a clock, so that the same batch gives the same bits.
 *
 * @param share the share of this part in the whole batch
 * @param signal aborts the computation at a turn of the event loop; null: no turns
 */
export async function batchGradient<Params>(
  gradient: PartGradient<Params>,
  params: Params,
  batch: Batch,
  backend: Backend,
  share = 1,
  signal?: AbortSignalLike | null,
): Promise<LossAndGrads<Params>> {
  let sum: LossAndGrads<Params> | null = null;
  try {
    for (
      const { inputs, targets, weights, share: own } of splitBatch(batch, partsOf(params, batch, backend))
    ) {
      const before: LossAndGrads<Params> | null = sum;
      // A tensor, since another number would be another recording.
      const factor = share * own === 1 ? null : tensor([share * own], [], backend);
      try {
        sum = signal === null
          ? gradient(params, inputs, targets, weights, factor, before)
          : await gradient.withTurns([params, inputs, targets, weights, factor, before], signal);
      } finally {
        backend.free(factor);
      }
      backend.free(before);
    }
    return sum!;
  } catch (error) {
    backend.free(sum);
    throw error;
  }
}

/**
 * The number of parts in which a batch goes through the model: less than 10 ms for the largest product, since the
 * gradient of attention is a single kernel that takes longer; and at least one sequence.
 */
export function partsOf(params: unknown, { inputs }: Batch, backend: Backend): number {
  const { workAtOnce = Infinity } = engineOf(backend);
  if (workAtOnce === Infinity) return 1;
  const largest = Math.max(...tensorsOf(params).map(({ shape }) => sizeOf(shape)));
  const sequences = 0.75 * workAtOnce / (inputs[0].length * largest);
  return Math.ceil(inputs.length / Math.max(1, Math.floor(sequences)));
}

/** The same for a part, as numbers: the gradients are raveled into `out`. */
export async function raveledGradient<Params>(
  gradient: PartGradient<Params>,
  params: Params,
  part: Part,
  backend: Backend,
  out: Floats,
  signal?: AbortSignalLike | null,
): Promise<{ loss: number; grads: Floats }> {
  const results = await batchGradient(gradient, params, part, backend, part.share, signal);
  try {
    const [loss] = await engineOf(backend).download(results.value);
    return { loss, grads: await ravel(results.grads, out) };
  } finally {
    backend.free(results);
  }
}
