/** Token streams that are drawn in blocks, because reading from the device takes time. */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { createReference, generate, put, read } from "@seqmix/seqmix";
import type { Engine } from "../../src/engine.ts";
import { tensorsOf } from "../../src/tree.ts";
import { assertNear, testOnAll } from "../helpers.ts";
import { models } from "../mixers.ts";
import { collect, failureOf } from "./streams.ts";

/** Makes a backend's reads asynchronous, like a GPU's. Returns the number of tensors read so far. */
function withSlowReads(backend: Engine): () => number {
  const download = backend.download.bind(backend);
  let reads = 0;
  backend.download = async (x) => {
    reads++;
    return await download(x);
  };
  return () => reads;
}

for (const { name, model, make } of models) {
  /** The logits after these tokens, from a state. */
  const logitsAfter = async (params: unknown, tokens: readonly number[], state: unknown) => {
    const [{ backend }] = tensorsOf(params);
    const result = model.forward(params, [tokens], state);
    const logits = (await read(result.logits)).slice(-11);
    backend.free(result);
    return logits;
  };

  testOnAll(
    `generate() draws up to 64 tokens of ${name} per read on an asynchronous device`,
    async (backend) => {
      const params = await put(make(1), backend);
      const reads = withSlowReads(backend);
      const seen: number[] = [];
      for await (const _ of generate(model, params, [1, 2], { maxTokens: 200, seed: 7 })) seen.push(reads());
      const wanted = [[1, 1], [4, 2], [16, 3], [64, 4], [64, 5], [51, 6]];
      assertEquals(seen, wanted.flatMap(([tokens, read]) => Array(tokens).fill(read)));
    },
  );

  testOnAll(
    `generate() gives the same tokens and state of ${name} in blocks as one by one`,
    async (backend) => {
      const params = await put(make(1), backend);
      using another = createReference();
      const elsewhere = await put(make(1), another);
      const options = { maxTokens: 100, seed: 7 };
      const single = await collect(generate(model, elsewhere, [1, 2], options));
      withSlowReads(backend);
      const blocks = await collect(generate(model, params, [1, 2], options));
      assertEquals(blocks.ids, single.ids);
      assertNear(
        await logitsAfter(params, [3], blocks.state),
        await logitsAfter(elsewhere, [3], single.state),
        1e-5,
      );
    },
  );

  testOnAll(`generate() stops ${name} before a stop id anywhere in a block`, async (backend) => {
    const params = await put(make(1), backend);
    withSlowReads(backend);
    const { ids, state } = await collect(generate(model, params, [1, 2], { maxTokens: 30, seed: 5 }));
    backend.free(state);
    const { bytes } = backend.memory();
    const places = new Set<number>();
    for (const stop of new Set(ids)) {
      const length = ids.indexOf(stop);
      places.add(length);
      const part = await collect(generate(model, params, [1, 2], { maxTokens: 30, seed: 5, stop: [stop] }));
      assertEquals(part.ids, ids.slice(0, length));
      const start = model.initialState(params);
      assertNear(
        await logitsAfter(params, [stop], part.state),
        await logitsAfter(params, [1, 2, ...part.ids, stop], start),
        1e-5,
        `after ${length} tokens`,
      );
      backend.free([part.state, start]);
      assertEquals(backend.memory().bytes, bytes);
    }
    assert(places.has(0) && places.size > 5, `stops at ${[...places]}`);
  });

  testOnAll(`generate() stops ${name} before a stop sequence anywhere in its blocks`, async (backend) => {
    const params = await put(make(1), backend);
    withSlowReads(backend);
    const options = { maxTokens: 30, seed: 5, frequencyPenalty: 0.3, presencePenalty: 0.2 };
    const { ids, state } = await collect(generate(model, params, [1, 2], options));
    using another = createReference();
    const single = await collect(generate(model, await put(make(1), another), [1, 2], options));
    assertEquals(ids, single.ids);
    backend.free(state);
    const { bytes } = backend.memory();
    // Blocks are of 1, 4, 16 and 9 tokens.
    for (
      const [start, length] of [[0, 2], [0, 6], [2, 3], [3, 3], [4, 2], [5, 3], [18, 8], [19, 2], [28, 2]]
    ) {
      const list = ids.slice(start, start + length), text = `,${ids},`;
      const end = text.slice(0, text.indexOf(`,${list},`)).split(",").length - 1;
      const part = await collect(
        generate(model, params, [1, 2], { ...options, stop: [list, [list[0], 12]] }),
      );
      assertEquals(part.ids, ids.slice(0, end), `${list} in ${ids}`);
      const begin = model.initialState(params);
      assertNear(
        await logitsAfter(params, [7], part.state),
        await logitsAfter(params, [1, 2, ...part.ids, 7], begin),
        1e-5,
        `after ${end} tokens`,
      );
      backend.free([part.state, begin]);
      assertEquals(backend.memory().bytes, bytes);
    }
  });

  testOnAll(`generate() frees a block of ${name} that is not read to its end`, async (backend) => {
    const params = await put(make(1), backend);
    withSlowReads(backend);
    const { bytes } = backend.memory();
    const reason = new Error("enough");
    for (const length of [1, 2, 4, 5, 6, 20, 22]) {
      let seen = 0;
      for await (const _ of generate(model, params, [1, 2, 3])) if (++seen === length) break;
      assertEquals(backend.memory().bytes, bytes, `left after ${length} tokens`);

      const controller = new AbortController();
      const ids: number[] = [];
      let caught: unknown;
      try {
        for await (const id of generate(model, params, [1, 2, 3], { signal: controller.signal })) {
          ids.push(id);
          if (ids.length === length) controller.abort(reason);
        }
      } catch (error) {
        caught = error;
      }
      assertStrictEquals(caught, reason);
      assertEquals([ids.length, backend.memory().bytes], [length, bytes], `ended after ${length} tokens`);
    }
  });

  testOnAll(
    `generate() returns the tokens of ${name} before a NaN in the middle of a block`,
    async (backend) => {
      const plain = await put(make(1), backend);
      withSlowReads(backend);
      const options = { maxTokens: 40, seed: 5 };
      const { ids, state } = await collect(generate(model, plain, [1, 2], options));
      backend.free(state);
      const { embedding } = make(1) as { embedding: Parameters<typeof read>[0] };
      const [, channels] = embedding.shape, rows = await read(embedding);
      // The NaN is in the row of the token that occurs latest.
      const last = [...new Set(ids)].at(-1)!, place = ids.indexOf(last);
      rows.fill(NaN, last * channels, (last + 1) * channels);
      const spoilt = { ...plain as object, embedding: backend.upload(rows, embedding.shape) };
      const { bytes } = backend.memory();
      const failure = await failureOf(generate(model, spoilt, [1, 2], options));
      assertEquals(failure.ids, ids.slice(0, place + 1));
      assertEquals(
        `${failure.error}`,
        `RangeError: Cannot generate: logits must be numbers, current logits of step ${place + 1} hold NaN`,
      );
      assertEquals(backend.memory().bytes, bytes);
    },
  );
}
