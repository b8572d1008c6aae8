import { valueAndGrad } from "../autodiff/mod.ts";
import type { LanguageModel } from "../models/language_model.ts";
import { crossEntropy } from "../ops/cross_entropy/mod.ts";
import type { Backend, Tensor } from "../tensor.ts";
import type { Batch } from "./batches.ts";
import { toFlat } from "./flat.ts";

/** The mean loss of a batch's tokens, every sequence from the state before the first token, and its gradient. */
export function batchGradient<Params, State>(
  model: LanguageModel<never, Params, State>,
  params: Params,
  { inputs, targets }: Batch,
): { value: Tensor; grads: Params } {
  return valueAndGrad((params) => {
    const { logits } = model.forward(params, inputs, model.initialState(params, inputs.length));
    return crossEntropy(logits, targets);
  }, params);
}

/** The same as numbers, the gradients flat; `room` is where they go, if it is given. */
export async function flatGradient<Params, State>(
  model: LanguageModel<never, Params, State>,
  params: Params,
  batch: Batch,
  backend: Backend,
  room?: Float32Array,
): Promise<{ loss: number; grads: Float32Array }> {
  const results = backend.scope(() => batchGradient(model, params, batch));
  try {
    const [loss] = await backend.download(results.value);
    return { loss, grads: await toFlat(results.grads, room) };
  } finally {
    backend.free(results);
  }
}
