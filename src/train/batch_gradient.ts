import { engineOf } from "../engine.ts";
import { valueAndGrad } from "../autodiff/mod.ts";
import type { Pause } from "../event_loop.ts";
import type { LanguageModel } from "../models/language_model.ts";
import { crossEntropy } from "../ops/cross_entropy/mod.ts";
import { add, multiply } from "../ops/elementwise/mod.ts";
import type { Backend, Floats, Tensor } from "../tensor.ts";
import { parameterCount, tensorsOf, withTensors } from "../tree.ts";
import { type Batch, type Part, splitBatch } from "./batches.ts";
import { toFlat } from "./flat.ts";

/** A mean loss, and its gradient. */
export interface LossAndGrads<Params> {
  readonly value: Tensor;
  readonly grads: Params;
}

/**
 * The mean loss of a batch's tokens, every sequence from the state before the first token, and its gradient; of a part of a
 * batch, its share of them. Where the caller's thread computes, the batch is split into parts of whole sequences between which the
 * event loop can turn: by counts, never by a clock, so that the same batch gives the same bits.
 *
 * @param share the part of the whole that this is
 * @param pause what to wait for between two parts, if anything
 */
export async function batchGradient<Params, State>(
  model: LanguageModel<never, Params, State>,
  params: Params,
  batch: Batch,
  backend: Backend,
  share = 1,
  pause: Pause = () => undefined,
): Promise<LossAndGrads<Params>> {
  let sum: LossAndGrads<Params> | undefined;
  try {
    for (const part of splitBatch(batch, partsOf(params, batch, backend))) {
      const wait = pause();
      if (wait !== undefined) await wait;
      const before = sum;
      sum = backend.scope(() => {
        const found = partGradient(model, params, part, share * part.share);
        return before === undefined ? found : {
          value: add(before.value, found.value),
          grads: sumOf(before.grads, found.grads),
        };
      });
      backend.free(before);
    }
    return sum!;
  } catch (error) {
    backend.free(sum);
    throw error;
  }
}

/** Tokens in a part at most, where a model is so small that it is not its products that take the time. */
const mostTokens = 512;

/** In how many parts a batch goes through the model: of about 25 ms, and of one sequence at least. */
function partsOf(params: unknown, { inputs }: Batch, backend: Backend): number {
  const { workAtOnce = Infinity } = engineOf(backend);
  if (workAtOnce === Infinity) return 1;
  const time = inputs[0].length;
  const sequences = Math.min(mostTokens / time, 1.5 * workAtOnce / (time * parameterCount(params)));
  return Math.ceil(inputs.length / Math.max(1, Math.floor(sequences)));
}

function partGradient<Params, State>(
  model: LanguageModel<never, Params, State>,
  params: Params,
  { inputs, targets }: Batch,
  share: number,
): LossAndGrads<Params> {
  return valueAndGrad((params) => {
    const { logits } = model.forward(params, inputs, model.initialState(params, inputs.length));
    const loss = crossEntropy(logits, targets);
    return share === 1 ? loss : multiply(loss, engineOf(logits.backend).upload([share], loss.shape));
  }, params);
}

function sumOf<P>(a: P, b: P): P {
  const others = tensorsOf(b);
  return withTensors(a, tensorsOf(a).map((t, i) => add(t, others[i])));
}

/** The same of a part as numbers, the gradients flat, in `room`. */
export async function flatGradient<Params, State>(
  model: LanguageModel<never, Params, State>,
  params: Params,
  part: Part,
  backend: Backend,
  room: Floats,
  pause?: Pause,
): Promise<{ loss: number; grads: Floats }> {
  const results = await batchGradient(model, params, part, backend, part.share, pause);
  try {
    const [loss] = await engineOf(backend).download(results.value);
    return { loss, grads: await toFlat(results.grads, room) };
  } finally {
    backend.free(results);
  }
}
