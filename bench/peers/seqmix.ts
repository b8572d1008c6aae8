/**
 * The library itself, through its public functions.
 *
 * @module
 */
import {
  type AnyLanguageModel,
  type Backend,
  compile,
  createReference,
  createWasm,
  lstmModel,
  multiHeadAttentionState,
  put,
  read,
  rwkv,
  transformer,
  type TransformerParams,
} from "@seqmix/seqmix";
import { type Peer, tokenDecoder } from "./peer.ts";
import { type Case, paramsOf } from "./weights.ts";

/** What all outputs are compared with: the equations in double precision. */
export const expected: Peer = seqmixPeer("reference", () => createReference({ precision: "float64" }));

/** The library on its WebAssembly backend. */
export const seqmixWasm: Peer = seqmixPeer("seqmix-wasm", () => createWasm());

function seqmixPeer(name: string, create: () => Backend | Promise<Backend>): Peer {
  return {
    name,
    async open(subject) {
      const backend = await create();
      const model = { rwkv, transformer, lstm: lstmModel }[subject.model] as AnyLanguageModel;
      const params = await put(await paramsOf(subject), backend);
      const forward = compile((params: unknown, tokens: readonly number[][], state: unknown) =>
        model.forward(params, tokens, state)
      );
      let state = stateOf(model, params, subject);
      return tokenDecoder({
        mode: subject.mode,
        reset() {
          backend.free(state);
          state = stateOf(model, params, subject);
        },
        async step(token, { advance }) {
          const next = forward(params, [[token]], state);
          const logits = await read(next.logits);
          backend.free([next.logits, advance ? state : next.state]);
          if (advance) state = next.state;
          return logits;
        },
        close: () => backend[Symbol.dispose](),
      });
    },
  };
}

/** The state before the first token, a cache with room for all that are decoded. */
function stateOf(model: AnyLanguageModel, params: unknown, { mode, length }: Case): unknown {
  if (mode === "recurrent") return model.initialState(params);
  const { blocks } = params as TransformerParams;
  return { blocks: blocks.map(({ attention }) => multiHeadAttentionState(attention, 1, length)) };
}
