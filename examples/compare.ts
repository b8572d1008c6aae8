/**
 *     deno run examples/compare.ts
 *
 * The three models side by side: parameters, what a token costs early and late, what a session holds.
 */
import {
  type AnyLanguageModel,
  createBackend,
  lstmModel,
  parameterCount,
  presets,
  put,
  rwkv,
  transformer,
} from "@seqmix/seqmix";

using backend = await createBackend({ onDecision: (line) => console.error(line) });
const contexts = [32, 256, 1024];
const models: readonly (readonly [AnyLanguageModel, unknown])[] = [
  [rwkv, presets.article.rwkv],
  [transformer, presets.article.transformer],
  [lstmModel, presets.article.lstm],
];

console.log(
  `One session on ${backend.name}: microseconds a token and KB of state after a context of that many tokens`,
);
for (const [model, config] of models) {
  const params = await put(model.init(config, 1), backend);
  const row: Record<string, string | number> = { model: model.name, parameters: parameterCount(params) };
  for (const context of contexts) {
    const tokens = Array.from({ length: context }, (_, i) => i % 64);
    const held = backend.memory().bytes;
    const state = backend.scope(() => model.forward(params, [tokens], model.initialState(params)).state);
    row[`KB at ${context}`] = Math.round((backend.memory().bytes - held) / 1024);

    // The same step again and again from the kept state: everything that it makes is freed.
    const times = Array.from({ length: 200 }, () => {
      const start = performance.now();
      backend.scope(() => void model.forward(params, [[7]], state));
      return 1000 * (performance.now() - start);
    });
    row[`µs at ${context}`] = Math.round(times.sort((a, b) => a - b)[100]);
    backend.free(state);
  }
  backend.free(params);
  console.log(row);
}
