/** Long computations of models let the event loop turn, and obey their signal. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { evaluate, generate, presets, put, rwkv } from "@seqmix/seqmix";
import { pieceLength } from "../../src/models/pieces.ts";
import { testOnAll } from "../helpers.ts";
import { models } from "../mixers.ts";

for (const { name, model, make } of models) {
  testOnAll(`generate() of ${name} lets timers fire between tokens`, async (backend) => {
    const params = await put(make(1), backend);
    let fired = false;
    const timer = setTimeout(() => fired = true, 1);
    const end = performance.now() + 5000;
    for await (const _ of generate(model, params, [1])) if (fired || performance.now() > end) break;
    clearTimeout(timer);
    assert(fired);
  });

  testOnAll(`generate() of ${name} obeys a signal in the stream and in the prompt`, async (backend) => {
    const params = await put(make(1), backend);
    const { bytes } = backend.memory();
    // Would take minutes if it were not aborted.
    for (const prompt of [[1], new Uint8Array(10_000_000)]) {
      const signal = AbortSignal.timeout(20);
      const stream = generate(model, params, prompt, { signal });
      const error = await assertRejects(async () => {
        for await (const _ of stream);
      }, DOMException);
      assertEquals(error.name, "TimeoutError");
      assertEquals(backend.memory().bytes, bytes);
    }
  });

  testOnAll(`evaluate() of ${name} obeys a signal`, async (backend) => {
    const params = await put(make(1), backend);
    const { bytes } = backend.memory();
    const length = 10_000_000;
    let ids = 0;
    const sequence = new Proxy(new Uint8Array(length), {
      get(list, key) {
        ids++;
        return Reflect.get(list, key);
      },
    });
    const sequences = [sequence, sequence, sequence];
    const signal = AbortSignal.timeout(20);
    const error = await assertRejects(
      () => evaluate(model, params, sequences, { signal }),
      DOMException,
    );
    // Whole batches of them would block the event loop for seconds.
    assert(ids < length, `${ids} ids were read`);
    assertEquals(error.name, "TimeoutError");
    assertEquals(backend.memory().bytes, bytes);
  });
}

testOnAll("generate() takes no more memory for a longer prompt", async (backend) => {
  // A model that ignores the option and returns all logits, as an older user-written model may.
  const own: typeof rwkv = {
    ...rwkv,
    forward: (params, tokens, state) => rwkv.forward(params, tokens, state),
  };
  const params = await put(rwkv.init({ ...presets.matched.rwkv, vocabulary: 512 }, 1), backend);
  const peak = async (model: typeof rwkv, length: number) => {
    backend.resetPeak();
    const before = backend.memory().bytes;
    for await (const _ of generate(model, params, new Uint8Array(length), { maxTokens: 1 }));
    return backend.memory().peakBytes - before;
  };
  const piece = pieceLength(params, rwkv.initialState(params), 1, backend);
  for (const model of [rwkv, own]) {
    const short = await peak(model, 2 * piece + 1);
    assertEquals(await peak(model, 6 * piece + 1), short);
  }
});
