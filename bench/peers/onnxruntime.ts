/**
 * The models in ONNX Runtime, native and web.
 *
 * @module
 */
import * as native from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { lstmGraph, type OnnxModel, rwkvGraph, transformerGraph } from "./onnx_models.ts";
import { type Peer, tokenPeer } from "./peer.ts";
import type { Case } from "./case.ts";

const oneThread: native.InferenceSession.SessionOptions = {
  executionProviders: ["cpu"],
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
};

/** The C++ library, called from JavaScript. */
export const onnxRuntimeNode: Peer = {
  name: "onnxruntime-node",
  open: (subject) => open(native, oneThread, subject, { preallocate: true }),
};

/** The same compiled to WebAssembly. It copies inputs and outputs, and can't write to the caller's memory. */
export const onnxRuntimeWeb: Peer = {
  name: "onnxruntime-web",
  async open(subject) {
    web.env.wasm.numThreads = 1;
    // It replaces the global Worker by Node's, which would break later users.
    const { Worker } = globalThis;
    try {
      return await open(web, { ...oneThread, executionProviders: ["wasm"] }, subject, { preallocate: false });
    } finally {
      globalThis.Worker = Worker;
    }
  },
};

async function open(
  ort: Pick<typeof native, "InferenceSession" | "Tensor">,
  options: native.InferenceSession.SessionOptions,
  subject: Case,
  { preallocate }: { readonly preallocate: boolean },
) {
  const { bytes, state } = modelOf(subject);
  const session = await ort.InferenceSession.create(bytes, options);
  const names = Object.keys(state);
  const start = () =>
    names.map((name) => new ort.Tensor("float32", state[name].data.slice(), state[name].shape));
  const asInputs = (tensors: readonly native.Tensor[]) =>
    Object.fromEntries(names.map((name, i) => [name, tensors[i]]));
  const asOutputs = (tensors: readonly native.Tensor[]) =>
    Object.fromEntries(names.map((name, i) => [`next_${name}`, tensors[i]]));

  const token = new ort.Tensor("int64", new BigInt64Array(1), [1, 1]);
  const past = new ort.Tensor("int32", new Int32Array(1), [1]);
  const total = new ort.Tensor("int32", new Int32Array(1), []);
  const others: Record<string, native.Tensor> = subject.mode === "cached"
    ? { token, past, total }
    : { token };
  const vocabulary = subject.weights.head.shape[0];
  const logits = new ort.Tensor("float32", new Float32Array(vocabulary), [1, 1, vocabulary]);
  let current: readonly native.Tensor[] = [], spare = current;
  return tokenPeer(subject, {
    reset() {
      current = start();
      // A cache is extended in place; a recurrent state is written to separate memory.
      spare = subject.mode === "cached" ? current : start();
    },
    async step(id, { position }) {
      token.data[0] = BigInt(id);
      past.data[0] = position;
      total.data[0] = position + 1;
      const feeds = { ...others, ...asInputs(current) };
      if (preallocate) {
        await session.run(feeds, { logits, ...asOutputs(spare) });
        [current, spare] = [spare, current];
        return logits.data as Float32Array;
      }
      const results = await session.run(feeds);
      current = names.map((name) => results[`next_${name}`]);
      return results.logits.data as Float32Array;
    },
    close() {
      // The release completes synchronously, so the promise need not be awaited.
      session.release();
    },
  });
}

function modelOf(subject: Case): OnnxModel {
  switch (subject.model) {
    case "rwkv":
      return rwkvGraph(subject.weights);
    case "transformer":
      return transformerGraph(subject.weights, { capacity: subject.length });
    case "lstm":
      return lstmGraph(subject.weights);
  }
}
