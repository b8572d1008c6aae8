/** A model of a user's own, which workers find by the URL of this module. */
import { embedding, type LanguageModel, linear, type Tensor, tensor } from "@seqmix/seqmix";

interface Params {
  readonly embedding: Tensor;
  readonly head: Tensor;
}

/** Predicts from the last token alone. */
export const bigram: LanguageModel<{ vocabulary: number }, Params, null> = {
  name: "bigram",
  init({ vocabulary }) {
    const numbers = Float32Array.from({ length: vocabulary * 4 }, (_, i) => Math.sin(i));
    return {
      embedding: tensor(numbers, [vocabulary, 4]),
      head: tensor(numbers.map((x) => x / 2), [vocabulary, 4]),
    };
  },
  initialState: () => null,
  forward: (params, tokens) => ({
    logits: params.embedding.backend.scope(() => linear(embedding(params.embedding, tokens), params.head)),
    state: null,
  }),
};
