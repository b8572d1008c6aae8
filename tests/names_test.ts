import { assertEquals } from "@std/assert";
import {
  adamW,
  attention,
  cosineDecay,
  createBackend,
  createReference,
  createWasm,
  createWebGpu,
  crossAttentionContext,
  evaluate,
  fit,
  fitNgram,
  generate,
  type LanguageModel,
  loadTree,
  lstmModel,
  motifTask,
  multiHeadAttention,
  multiHeadAttentionState,
  presets,
  rotary,
  rwkv,
  sample,
  sampleSequences,
  saveTree,
  tensor,
  trainAndTest,
  transformer,
} from "@seqmix/seqmix";
import { show } from "../src/check.ts";
import { nearest } from "../src/names.ts";
import { type Failure, testFailures, wrong } from "./helpers.ts";

Deno.test("nearest() ignores case and underscores, finds initials, parts and typos, and nothing else", () => {
  const names = ["maxTokens", "batchSize", "learningRate", "epochs", "temperature", "topK", "topP", "stop"];
  const meant: Readonly<Record<string, string | undefined>> = {
    lr: "learningRate",
    max_tokens: "maxTokens",
    max_new_tokens: "maxTokens",
    tokens: "maxTokens",
    mxTkns: "maxTokens",
    lernRate: "learningRate",
    batchsize: "batchSize",
    "batch-size": "batchSize",
    batch: "batchSize",
    epoch: "epochs",
    temprature: "temperature",
    top_k: "topK",
    TOPP: "topP",
    stops: "stop",
    foo: undefined,
    constructor: undefined,
    "": undefined,
  };
  for (const [name, expected] of Object.entries(meant)) assertEquals(nearest(name, names), expected, name);
  assertEquals(nearest("x", []), undefined);
});

const params = lstmModel.init(presets.matched.lstm, 1), task = motifTask({}, 1);
const sets = { train: [[1, 2, 3]] }, config = presets.matched.lstm;
const logits = tensor([1, 2], [1, 2]), x = tensor([1, 2], [1, 1, 2]);
function forwarding<C, P, S>(model: LanguageModel<C, P, S>, config: C, options: never): unknown {
  const params = model.init(config, 1);
  return model.forward(params, [[1]], model.initialState(params), options);
}
const attentionParams = { heads: 1, query: logits, key: logits, value: logits, output: logits };
const first = (stream: AsyncGenerator<unknown, unknown>) => stream.next();

/** For every public function with options: the action, an unknown name, the nearest known one, and the call. */
const calls: readonly (readonly [
  action: string,
  unknown: string,
  known: string,
  call: (options: never) => unknown,
])[] = [
  ["create backend", "preferred", "prefer", createBackend],
  ["create wasm", "SIMD", "simd", createWasm],
  ["create webgpu", "power_preference", "powerPreference", createWebGpu],
  ["create reference", "precison", "precision", createReference],
  ["attend", "masks", "mask", (options) => attention(x, x, x, 1, options)],
  [
    "attend with heads",
    "masked",
    "mask",
    (options) => multiHeadAttention(attentionParams, x, multiHeadAttentionState(attentionParams), options),
  ],
  [
    "make context of attention",
    "masks",
    "mask",
    (options) => crossAttentionContext(attentionParams, x, options),
  ],
  ["attend", "casual", "causal", (options) => attention(x, x, x, 1, options)],
  ["turn rotary", "head", "heads", (options) => rotary(x, options)],
  ["sample", "top_k", "topK", (options) => sample(logits, options)],
  ["generate", "max_tokens", "maxTokens", (options) => first(generate(lstmModel, params, [1], options))],
  ["generate", "temprature", "temperature", (options) => first(generate(lstmModel, params, [1], options))],
  ["evaluate", "Signal", "signal", (options) => evaluate(lstmModel, params, [[1, 2]], options)],
  ["fit", "lr", "learningRate", (options) => first(fit(lstmModel, sets, options))],
  ["fit", "batchsize", "batchSize", (options) => first(fit(lstmModel, sets, options))],
  ["load tree", "Only", "only", (options) => loadTree(saveTree(logits), logits.backend, options)],
  ["decay learning rate", "warm_up", "warmup", (options) => cosineDecay(1, 2, 3, options)],
  [
    "update parameters",
    "lr",
    "learningRate",
    (options) => adamW.update(logits, adamW.init(logits), logits, options),
  ],
  ["fit an n-gram model", "vocab", "vocabulary", (options) => fitNgram([[1, 2]], options)],
  ["sample sequences", "counts", "count", (options) => sampleSequences(task, options)],
  ["draw train and test sets", "tests", "test", (options) => trainAndTest(task, options)],
  ["run LSTM model", "logit", "logits", (options) => forwarding(lstmModel, presets.matched.lstm, options)],
  ["run RWKV", "logit", "logits", (options) => forwarding(rwkv, presets.matched.rwkv, options)],
  [
    "run Transformer",
    "logit",
    "logits",
    (options) => forwarding(transformer, presets.matched.transformer, options),
  ],
];

const nameOf = (action: string) => action === "update parameters" ? "hyper" : "options";

testFailures("every function with options", [
  ...calls.map(([action, unknown, known, call]): Failure => [
    `${action}, ${unknown}`,
    () => call({ [unknown]: undefined } as never),
    TypeError,
    `Cannot ${action}: ${nameOf(action)} must have known names (perhaps ${known}), current one is ${unknown}`,
  ]),
  ...calls.filter(([action]) => action !== "create backend").flatMap(([action, , , call]) =>
    [3, null, Promise.resolve({})].map((value): Failure => [
      `${action}, ${show(value)}`,
      () => call(value as never),
      TypeError,
      `Cannot ${action}: ${nameOf(action)} must be an object, current value is ${show(value)}`,
    ])
  ),
  [
    "none is near",
    () => createBackend(wrong({ x1y: 1 })),
    TypeError,
    "Cannot create backend: options must have names among prefer, onDecision, current one is x1y",
  ],
  [
    "a name that every object has",
    () => createReference(wrong({ constructor: 1 })),
    TypeError,
    "Cannot create reference: options must have names among precision, current one is constructor",
  ],
  [
    "a backend's name",
    () => createBackend(wrong("wasm")),
    TypeError,
    'Cannot create backend: options must be an object ({ prefer: ["wasm"] }), current value is "wasm"',
  ],
  [
    "fit, hyper",
    () => first(fit(lstmModel, sets, { config, hyper: wrong({ weight_decay: 1 }) })),
    TypeError,
    "Cannot fit: hyper must have known names (perhaps weightDecay), current one is weight_decay",
  ],
  [
    "fit, a learning rate among hyper",
    () => first(fit(lstmModel, sets, { config, hyper: wrong({ learningRate: 1 }) })),
    TypeError,
    "Cannot fit: hyper must have names among rateFactor, beta1, beta2, epsilon, weightDecay, current one is learningRate",
  ],
  [
    "motifTask",
    () => motifTask(wrong({ motif_length: 4 }), 1),
    TypeError,
    "Cannot make a motif task: config must have known names (perhaps motifLength), current one is motif_length",
  ],
  [
    "init",
    () => lstmModel.init(wrong({ vocab: 4, layers: 1, channels: 2 }), 1),
    TypeError,
    "Cannot initialize LSTM: config must have known names (perhaps vocabulary), current one is vocab",
  ],
  [
    "init, another model's",
    () => lstmModel.init(presets.matched.transformer, 1),
    TypeError,
    "Cannot initialize LSTM: config must have names among vocabulary, layers, channels, current one is feedForward",
  ],
]);

Deno.test("undefined options are the same as missing ones", async () => {
  createReference({ precision: undefined });
  (await createWasm({ simd: undefined, maximumBytes: undefined }))[Symbol.dispose]();
  (await createBackend({ prefer: ["reference"], onDecision: undefined }))[Symbol.dispose]();
  rotary(x, { heads: 1, position: undefined, base: undefined });
  sample(logits, { temperature: undefined, topK: undefined, topP: undefined, seed: undefined }, undefined);
  lstmModel.forward(params, [[1]], lstmModel.initialState(params, undefined), { logits: undefined });
  cosineDecay(1, 2, 3, { warmup: undefined, floor: undefined });
  loadTree(saveTree(logits), undefined, { only: undefined });
  const options = { maxTokens: 1, stop: undefined, state: undefined, signal: undefined, seed: undefined };
  await first(generate(lstmModel, params, [1], options));
  await evaluate(lstmModel, params, [[1, 2]], { signal: undefined });
  adamW.update(logits, adamW.init(logits), logits, { learningRate: 1, beta1: undefined });
  assertEquals(motifTask({ motifs: undefined, flip: undefined }, 1), task);
  const none = { params: undefined, resume: undefined, seed: undefined, hyper: undefined, every: undefined };
  await first(fit(lstmModel, { ...sets, test: undefined }, { config, epochs: 1, ...none }));
});
