/** A user-written model, which workers find by the URL of this module. */
import {
  add,
  customGradient,
  embedding,
  type LanguageModel,
  linear,
  multiply,
  type Tensor,
  tensor,
} from "@seqmix/seqmix";

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
    logits: params.embedding.backend.scope(() => linear(embedding(tokens, params.embedding), params.head)),
    state: null,
  }),
};

/** The same with logits so steep that squared gradients overflow. */
export const cliff: typeof bigram = {
  name: "cliff",
  init({ vocabulary }) {
    const zeros = new Float32Array(vocabulary * 4);
    return { embedding: tensor(zeros.map(() => 1), [vocabulary, 4]), head: tensor(zeros, [vocabulary, 4]) };
  },
  initialState: () => null,
  forward(params, tokens, state) {
    const { logits } = bigram.forward(params, tokens, state), { backend, shape } = logits;
    const steep = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => 1e25);
    return { logits: multiply(logits, tensor(steep, shape, backend)), state };
  },
};

const doubled = customGradient((x: Tensor) => x, (gradient) => [add(gradient, gradient)]);

/** The same with twice the gradient of the logits. */
export const steep: typeof bigram = {
  ...bigram,
  name: "steep",
  forward(params, tokens, state) {
    const { logits } = bigram.forward(params, tokens, state);
    return { logits: doubled(logits), state };
  },
};
