/**
 *     deno run examples/compare.ts
 *
 * Compares the three models: parameters, the time of an early and of a late token, and the memory of a session.
 */
import {
  type AnyLanguageModel,
  compile,
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
  `One session on ${backend.name}: microseconds a token and KB reserved for the state after a context of that many tokens`,
);
for (const [model, config] of models) {
  const params = await put(model.init(config, 1), backend);
  using step = compile(model.forward);
  const row: Record<string, string | number> = { model: model.name, parameters: parameterCount(params) };
  for (const context of contexts) {
    const tokens = Array.from({ length: context }, (_, i) => i % 64);
    const held = backend.memory().bytes;
    const state = backend.scope(() => model.forward(params, [tokens], model.initialState(params)).state);
    row[`KB at ${context}`] = Math.round((backend.memory().bytes - held) / 1024);

    // The same step from the kept state, again and again; the first half warms up.
    const times = Array.from({ length: 400 }, () => {
      const start = performance.now();
      backend.free(step(params, [[7]], state));
      return 1000 * (performance.now() - start);
    }).slice(200);
    row[`µs at ${context}`] = Math.round(times.sort((a, b) => a - b)[100]);
    backend.free(state);
  }
  backend.free(params);
  console.log(row);
}
