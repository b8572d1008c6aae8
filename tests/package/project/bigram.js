import { embedding, linear, tensor } from "@seqmix/seqmix";

/** A model of one's own: predicts from the last token alone. */
export const bigram = {
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
    logits: linear(embedding(tokens, params.embedding), params.head),
    state: null,
  }),
};
