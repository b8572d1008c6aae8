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
import type { OwnCase, OwnModelName } from "./own_models.ts";
import { type OpenPeer, type Peer, remotePeer, tokenPeer } from "./peer.ts";

/** The argument of a process of the library. */
export type Order = CaseOrder | OwnOrder;

/** A case, and the number of workers for training. */
interface CaseOrder extends Pick<Case, "model" | "preset" | "length"> {
  /** Undefined for decoding. */
  readonly workers?: number;
}

/** A model of one's own, which is trained. */
interface OwnOrder {
  readonly own: OwnModelName;
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

/** Training on the WebAssembly backend with a number of workers. */
export function trainer(workers: number): Peer {
  return {
    name: workers === 1 ? "seqmix-wasm" : `seqmix-wasm, ${workers} workers`,
    own: true,
    open: (subject) => Promise.resolve(remotePeer(startProcess(denoRun(script, argument(subject, workers))))),
  };
}

/** Training of a model of one's own. */
export const ownTrainer: Peer<OwnCase> = {
  name: "seqmix-wasm",
  own: true,
  open({ model }) {
    const order = JSON.stringify({ own: model } satisfies Order);
    return Promise.resolve(remotePeer(startProcess(denoRun(script, order))));
  },
};

/**
 * Two processes that train a model each: an upper bound for two workers that share every batch on this machine. Two
 * busy cores share caches and memory, and often a clock.
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

/** The expected logits: the equations in double precision. */
export async function expectedLogits(subject: Case): Promise<readonly ArrayLike<number>[]> {
  using backend = createReference({ precision: "float64" });
  return await (await openDecoder(subject, backend)).outputs();
}

/** Decodes with the library in this process. */
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

/** The state before the first token; a cache has a capacity for all tokens. */
function stateOf(model: AnyLanguageModel, params: unknown, { mode, length }: Case): unknown {
  if (mode === "recurrent") return model.initialState(params);
  const { blocks } = params as TransformerParams;
  return { blocks: blocks.map(({ attention }) => multiHeadAttentionState(attention, 1, length)) };
}
