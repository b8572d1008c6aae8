/** Runs in the page: counts frames while tokens are generated and models are trained. */
import {
  type AnyLanguageModel,
  createWasm,
  evaluate,
  fit,
  generate,
  lstmModel,
  motifTask,
  presets,
  put,
  rwkv,
  trainAndTest,
  transformer,
} from "../../src/mod.ts";

/** The frames that the page painted during a computation. */
export interface Painted {
  readonly what: string;
  readonly seconds: number;
  readonly frames: number;
  /** The longest time between two frames, in ms. */
  readonly longestGap: number;
  readonly did: string;
}

/** Functions that the driver of the page provides. */
declare function report(painted: Painted): Promise<void>;
declare function end(): Promise<void>;

declare function requestAnimationFrame(callback: (time: number) => void): number;

async function count(what: string, work: () => Promise<string>): Promise<void> {
  let frames = 0, longestGap = 0, going = true;
  const begun = performance.now();
  let last = begun;
  const frame = () => {
    const now = performance.now();
    longestGap = Math.max(longestGap, now - last);
    last = now;
    frames++;
    if (going) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const did = await work();
  going = false;
  const now = performance.now();
  await report({
    what,
    seconds: (now - begun) / 1000,
    frames,
    longestGap: Math.max(longestGap, now - last),
    did,
  });
}

const backend = await createWasm();
const task = trainAndTest(motifTask({}, 1), { train: 96, test: 64, length: 128, seed: 2 });
for (const preset of ["matched", "article"] as const) {
  const sizes = presets[preset];
  const models = [
    { model: rwkv as AnyLanguageModel, config: sizes.rwkv },
    { model: transformer as AnyLanguageModel, config: sizes.transformer },
    { model: lstmModel as AnyLanguageModel, config: sizes.lstm },
  ];
  for (const { model, config } of models) {
    const params = await put(model.init(config, 1), backend);
    const name = `${preset} ${model.name}`;
    // A cache of 20,000 steps is measured elsewhere.
    const tokens = model.name === "transformer" ? 4000 : 20_000;
    await count(`${name}: generate`, async () => {
      for await (const _ of generate(model, params, [1], { maxTokens: tokens }));
      return `${tokens} tokens`;
    });
    await count(`${name}: prompt`, async () => {
      for await (const _ of generate(model, params, new Uint8Array(tokens), { maxTokens: 1 }));
      return `${tokens} tokens`;
    });
    await count(`${name}: evaluate`, async () => {
      await evaluate(model, params, task.test);
      return `${64 * 127} tokens`;
    });
    await count(`${name}: fit`, async () => {
      let steps = 0;
      for await (const at of fit(model, task, { config, epochs: preset === "article" ? 1 : 4, backend })) {
        steps = at.step;
      }
      return `${steps} steps of 32 × 127 tokens`;
    });
    backend.free(params);
  }
}
await end();
