/**
 * Stacked LSTM layers as a language model.
 *
 * @module
 */
import { checkConfig, drawNormal, initFrom } from "../initialize.ts";
import { lstm, type LstmParams, type LstmState, lstmState } from "../layers/lstm.ts";
import { linearStart, lstmStart } from "../layers/starts.ts";
import { linear } from "../ops/linear/mod.ts";
import { randomSource } from "../random.ts";
import type { Tensor } from "../tensor.ts";
import {
  checkDepth,
  forwardWith,
  initialStateWith,
  type LanguageModel,
  recurrent,
} from "./language_model.ts";

const action = "run LSTM model";

/** The sizes of an LSTM model. */
export interface LstmConfig {
  /** V */
  readonly vocabulary: number;
  /** L */
  readonly layers: number;
  /** C, of the embedding and of every layer. */
  readonly channels: number;
}

/** The parameters of an LSTM model. */
export interface LstmModelParams {
  /** `[V, C]` */
  readonly embedding: Tensor;
  /** L layers. */
  readonly layers: readonly LstmParams[];
  /** `[V, C]` */
  readonly head: Tensor;
}

/** The state of an LSTM model. Its size does not depend on the number of tokens. */
export interface LstmModelState {
  /** One state for each layer. */
  readonly layers: readonly LstmState[];
}

/**
 * An embedding, L stacked LSTM layers, and a head. Initial values are those of PyTorch's `nn.Embedding`, `nn.LSTM` and
 * `nn.Linear`, N(0, 1) for the embedding and uniform within ±1/√C for the weights, except that biases are 1 for the
 * forget gate and 0 for the others (Jozefowicz et al., 2015).
 *
 * @example
 * ```ts
 * import { lstmModel, presets } from "@seqmix/seqmix";
 *
 * const params = lstmModel.init(presets.matched.lstm, 1);
 * const { logits } = lstmModel.forward(params, [[1, 2, 3]], lstmModel.initialState(params));
 * console.log(logits.shape); // [ 1, 3, 64 ]
 * ```
 */
export const lstmModel: LanguageModel<LstmConfig, LstmModelParams, LstmModelState> = {
  name: "lstm",

  ...initFrom<LstmConfig, LstmModelParams>((config, seed) => {
    checkConfig("initialize LSTM", config, ["vocabulary", "layers", "channels"]);
    const { vocabulary: V, layers: L, channels: C } = config;
    const random = randomSource(seed);
    return {
      embedding: () => drawNormal(random, [V, C], 1),
      layers: Array.from({ length: L }, () => lstmStart(random, C, C)),
      head: linearStart(random, C, V),
    };
  }),

  initialState: initialStateWith(action, "an LSTM", (params, batch) => ({
    layers: params.layers.map((layer) => lstmState(layer, batch)),
  })),

  forward: forwardWith(
    action,
    "an LSTM",
    recurrent((params, x, state) => {
      checkDepth(action, "layers", state.layers, params.layers.length);
      let y = x;
      const layers = params.layers.map((layer, i) => {
        const next = lstm(layer, y, state.layers[i]);
        y = next.y;
        return next.state;
      });
      return { y, state: { layers } };
    }),
    (params, y) => linear(y, params.head),
  ),
};
