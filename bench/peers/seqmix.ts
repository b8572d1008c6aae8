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
  lstmModel,
  multiHeadAttentionState,
  put,
  read,
  rwkv,
  transformer,
  type TransformerParams,
} from "@seqmix/seqmix";
import { denoRun, startProcess } from "../measure/process.ts";
import { type Case, paramsOf } from "./case.ts";
import { type OpenPeer, type Peer, remotePeer, tokenPeer } from "./peer.ts";

/** What a process of the library's is told as it starts: which case, and with how many workers it is to train. */
export interface Order extends Pick<Case, "model" | "preset" | "length"> {
  /** It decodes where there are none. */
  readonly workers?: number;
}

export const models = { rwkv, transformer, lstm: lstmModel } as Readonly<
  Record<Case["model"], AnyLanguageModel>
>;

export const script = new URL("./seqmix_process.ts", import.meta.url);
export const argument = ({ model, preset, length }: Case, workers?: number) =>
  JSON.stringify({ model, preset, length, workers } satisfies Order);

/** A token on the WebAssembly backend in Deno. */
export const inDeno: Peer = {
  name: "seqmix-wasm",
  own: true,
  open: (subject) => Promise.resolve(remotePeer(startProcess(denoRun(script, argument(subject))))),
};

/** Training on the WebAssembly backend, with so many workers. */
export function trainer(workers: number): Peer {
  return {
    name: workers === 1 ? "seqmix-wasm" : `seqmix-wasm, ${workers} workers`,
    own: true,
    open: (subject) => Promise.resolve(remotePeer(startProcess(denoRun(script, argument(subject, workers))))),
  };
}

/**
 * Two processes that train a model each: what two workers, who share every batch, could reach on this machine at best. Two
 * cores that are busy at once share caches and memory, and often a clock.
 */
export const apartTrainer: Peer = {
  name: "seqmix-wasm, two processes",
  own: true,
  async open(subject) {
    const [one, other] = await Promise.all([trainer(1).open(subject), trainer(1).open(subject)]);
    return {
      outputs: () => one.outputs(),
      async time(times) {
        const [a, b] = await Promise.all([one.time(times), other.time(times)]);
        return 1 / (1 / a + 1 / b);
      },
      async close() {
        await Promise.all([one.close(), other.close()]);
      },
    };
  },
};

/** The logits that all must have: the equations in double precision. */
export async function expectedLogits(subject: Case): Promise<readonly ArrayLike<number>[]> {
  using backend = createReference({ precision: "float64" });
  return await (await openDecoder(subject, backend)).outputs();
}

/** The library decoding in this process. */
export async function openDecoder(subject: Case, backend: Backend): Promise<OpenPeer> {
  const model = models[subject.model];
  const params = await put(await paramsOf(subject), backend);
  const forward = compile((params: unknown, tokens: readonly number[][], state: unknown) =>
    model.forward(params, tokens, state)
  );
  let state = stateOf(model, params, subject);
  return tokenPeer(subject, {
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
    close() {},
  });
}

/** The state before the first token, a cache with room for all that are decoded. */
function stateOf(model: AnyLanguageModel, params: unknown, { mode, length }: Case): unknown {
  if (mode === "recurrent") return model.initialState(params);
  const { blocks } = params as TransformerParams;
  return { blocks: blocks.map(({ attention }) => multiHeadAttentionState(attention, 1, length)) };
}
