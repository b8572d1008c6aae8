import { valueAndGrad } from "../autodiff/mod.ts";
import type { LanguageModel } from "../models/language_model.ts";
import { crossEntropy } from "../ops/cross_entropy/mod.ts";
import type { Tensor } from "../tensor.ts";
import type { Batch } from "./batches.ts";

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
