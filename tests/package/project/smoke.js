// Runs the installed package in Node.js: `node smoke.js` next to a node_modules folder with it.
import assert from "node:assert/strict";
import {
  createBackend,
  createReference,
  createWasm,
  fit,
  generate,
  loadTree,
  lstmModel,
  presets,
  put,
  read,
  rwkv,
  saveTree,
  transformer,
} from "@seqmix/seqmix";

const models = [[rwkv, presets.article.rwkv], [transformer, presets.article.transformer], [
  lstmModel,
  presets.article.lstm,
]];
const tokens = Array.from({ length: 70 }, (_, i) => (7 * i) % 64);

for (const [model, config] of models) {
  const reference = createReference();
  const wasm = await createWasm();
  const params = loadTree(saveTree(model.init(config, 1))).tree;
  const logits = [];
  for (const backend of [reference, wasm]) {
    const there = await put(params, backend);
    logits.push(await read(model.forward(there, [tokens], model.initialState(there)).logits));
  }
  const scale = Math.max(...logits[0].map(Math.abs));
  const error = Math.max(...logits[0].map((logit, i) => Math.abs(logit - logits[1][i]))) / scale;
  assert.ok(error <= 1e-5, `${model.name}: wasm must agree with the reference, current error is ${error}`);
  console.log(`${model.name}: wasm agrees with the reference within ${error.toExponential(1)} of the scale`);
  wasm[Symbol.dispose]();
}

const decisions = [];
const backend = await createBackend({ onDecision: (line) => decisions.push(line) });
assert.equal(backend.name, "wasm");
console.log(decisions.join("\n"));

const ids = [];
const params = await put(rwkv.init(presets.article.rwkv, 1), backend);
for await (const id of generate(rwkv, params, [1, 2, 3], { maxTokens: 8 })) ids.push(id);
assert.equal(ids.length, 8);
console.log(`generated ${ids.join(" ")}`);

const train = [[1, 2, 3, 4, 1, 2, 3, 4], [2, 3, 4, 1, 2, 3, 4, 1]];
let trained;
for await (const at of fit(rwkv, { train }, { config: presets.matched.rwkv, epochs: 3, backend })) {
  trained = at;
}
assert.ok(trained.trainLoss < Math.log(64));
assert.ok((await trained.checkpoint()).length > 0);
console.log(`trained to a loss of ${trained.trainLoss.toFixed(3)}`);
