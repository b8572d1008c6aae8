/**
 * The library itself, through its public functions.
 *
 * @module
 */
import {
  type AnyLanguageModel,
  type Backend,
  createReference,
  lstmModel,
  put,
  read,
  rwkv,
  transformer,
} from "../../mod.ts";
import { type Peer, tokenDecoder } from "./peer.ts";
import { paramsOf } from "./weights.ts";

const models = { rwkv, transformer, lstm: lstmModel } as Record<string, unknown> as Record<
  string,
  AnyLanguageModel
>;

function seqmixPeer(name: string, create: () => Backend | Promise<Backend>): Peer {
  return {
    name,
    async open(subject) {
      const backend = await create();
      const model = models[subject.model];
      const params = await put(await paramsOf(subject), backend);
      let state = model.initialState(params);
      return tokenDecoder({
        mode: subject.mode,
        reset() {
          backend.free(state);
          state = model.initialState(params);
        },
        async step(token, { advance }) {
          const next = model.forward(params, [[token]], state);
          const logits = await read(next.logits);
          backend.free([next.logits, advance ? state : next.state]);
          if (advance) state = next.state;
          return logits;
        },
        close() {
          backend[Symbol.dispose]();
        },
      });
    },
  };
}

/** What all outputs are compared with. */
export const expected = seqmixPeer("seqmix-reference", () => createReference({ precision: "float64" }));
