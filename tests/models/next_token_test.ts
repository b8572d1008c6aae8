/** The compiled step that generate() keeps with the parameters. */
import { assert, assertEquals } from "@std/assert";
import {
  type AnyLanguageModel,
  type Backend,
  createWasm,
  generate,
  multiply,
  put,
  rwkv,
  transformer,
} from "@seqmix/seqmix";
import { testOnAll } from "../helpers.ts";

const sizes = { vocabulary: 11, layers: 2, channels: 8, feedForward: 9 };
const models = [
  { model: rwkv as AnyLanguageModel, config: sizes },
  { model: transformer as AnyLanguageModel, config: { ...sizes, heads: 2 } },
];

async function idsOf(stream: AsyncGenerator<number, unknown>, backend: Backend): Promise<number[]> {
  const ids: number[] = [];
  let next = await stream.next();
  for (; !next.done; next = await stream.next()) ids.push(next.value);
  backend.free(next.value);
  return ids;
}

for (const { model, config } of models) {
  const paramsOn = (backend: Backend, seed = 1) => put(model.init(config, seed), backend);

  testOnAll(`generate() of ${model.name} draws the same ids from parameters used before`, async (backend) => {
    const used = await paramsOn(backend);
    const ways = [{ seed: 1 }, { seed: 2 }, { seed: 1 }, { temperature: 0 }, { presencePenalty: 3 }, {
      presencePenalty: 2,
    }, { topK: 3 }];
    for (const way of ways) {
      const options = { maxTokens: 9, ...way };
      const [again, fresh] = [used, await paramsOn(backend)].map((params) =>
        idsOf(generate(model, params, [1, 2, 3], options), backend)
      );
      assertEquals(await again, await fresh, JSON.stringify(way));
    }
  });

  testOnAll(
    `generate() of ${model.name} sees parameters that were replaced in their tree`,
    async (backend) => {
      const params = await paramsOn(backend) as Record<string, unknown>, other = await paramsOn(backend, 2);
      const options = { maxTokens: 9 };
      await idsOf(generate(model, params, [1], options), backend);
      Object.assign(params, other);
      assertEquals(
        await idsOf(generate(model, params, [1], options), backend),
        await idsOf(generate(model, other, [1], options), backend),
      );
    },
  );

  testOnAll(`streams of ${model.name} from the same parameters take turns`, async (backend) => {
    const params = await paramsOn(backend), { bytes } = backend.memory();
    const ways = [{ seed: 1 }, { seed: 2 }, { seed: 1 }].map((way) => ({ ...way, maxTokens: 7 }));
    const alone = [];
    for (const way of ways) alone.push(await idsOf(generate(model, params, [1, 2], way), backend));
    assertEquals(
      await Promise.all(ways.map((way) => idsOf(generate(model, params, [1, 2], way), backend))),
      alone,
    );
    assertEquals(backend.memory().bytes, bytes);
  });

  Deno.test(`generate() of ${model.name} notices another forward of the same model`, async () => {
    using backend = await createWasm();
    const params = await paramsOn(backend), own = { ...model } as { forward: unknown };
    const stream = () =>
      idsOf(generate(own as AnyLanguageModel, params, [1, 2], { maxTokens: 6, temperature: 0 }), backend);
    await stream();
    own.forward = (...args: Parameters<AnyLanguageModel["forward"]>) => {
      const { logits, state } = model.forward(...args);
      return { logits: logits && multiply(logits, logits), state };
    };
    const changed = await stream(), other = { ...own } as AnyLanguageModel;
    assertEquals(
      changed,
      await idsOf(generate(other, params, [1, 2], { maxTokens: 6, temperature: 0 }), backend),
    );
  });

  Deno.test(`generate() of ${model.name} records its step once for one way of drawing`, async () => {
    using backend = await createWasm();
    const params = await paramsOn(backend);
    let calls = 0;
    const counting: AnyLanguageModel = {
      ...model,
      forward(...args: Parameters<AnyLanguageModel["forward"]>) {
        calls++;
        return model.forward(...args);
      },
    } as AnyLanguageModel;
    const callsOf = async (way: object) => {
      calls = 0;
      await idsOf(generate(counting, params, [1, 2, 3], { maxTokens: 9, ...way }), backend);
      return calls;
    };
    const first = await callsOf({}), again = await callsOf({});
    // The prompt, the first token and the state after the last are not compiled.
    assertEquals(again, 3);
    assert(first > again);
    assertEquals(await callsOf({ seed: 1 }), first);
    // What a transform closes over may have changed.
    const transform = (logits: unknown) => logits;
    assertEquals([await callsOf({ transform }), await callsOf({ transform })], [first, first]);
  });
}
