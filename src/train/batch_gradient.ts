import { valueAndGrad } from "../autodiff/mod.ts";
import type { LanguageModel } from "../models/language_model.ts";
import { crossEntropy } from "../ops/cross_entropy/mod.ts";
import { multiply } from "../ops/elementwise/mod.ts";
import type { Backend, Floats, Tensor } from "../tensor.ts";
import type { Batch, Part } from "./batches.ts";
import { toFlat } from "./flat.ts";

/**
 * The mean loss of a batch's tokens, every sequence from the state before the first token, and its gradient; of a part of a
 * batch, its share of them.
 */
export function batchGradient<Params, State>(
  model: LanguageModel<never, Params, State>,
  params: Params,
  { inputs, targets }: Batch,
  share = 1,
): { value: Tensor; grads: Params } {
  return valueAndGrad((params) => {
    const { logits } = model.forward(params, inputs, model.initialState(params, inputs.length));
    const loss = crossEntropy(logits, targets);
    return share === 1 ? loss : multiply(loss, logits.backend.upload([share], loss.shape));
  }, params);
}

/** The same of a part as numbers, the gradients flat, in `room`. */
export async function flatGradient<Params, State>(
  model: LanguageModel<never, Params, State>,
  params: Params,
  part: Part,
  backend: Backend,
  room: Floats,
): Promise<{ loss: number; grads: Floats }> {
  const results = backend.scope(() => batchGradient(model, params, part, part.share));
  try {
    const [loss] = await backend.download(results.value);
    return { loss, grads: await toFlat(results.grads, room) };
  } finally {
    backend.free(results);
  }
}
