import { assert, assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import {
  add,
  generate,
  type GenerateOptions,
  type MemoryUse,
  multiply,
  put,
  read,
  reference,
  sample,
  type Tensor,
  tensor,
} from "@seqmix/seqmix";
import { engineOf } from "../../src/engine.ts";
import { tensorsOf } from "../../src/tree.ts";
import { assertNear, type Failure, testFailures, testOnAll, wrong } from "../helpers.ts";
import { models } from "../mixers.ts";
import { collect, failureOf } from "./streams.ts";

/** The id with the largest logit of the last step. */
function argmax(logits: Float32Array, vocabulary = 11): number {
  const last = logits.subarray(-vocabulary);
  return last.indexOf(Math.max(...last));
}

for (const { name, model, make } of models) {
  /** The logits after the last of these tokens, from the initial state. */
  const logitsAfter = async (params: unknown, tokens: readonly number[]) => {
    const [{ backend }] = tensorsOf(params);
    const state = model.initialState(params);
    const result = model.forward(params, [tokens], state);
    const logits = (await read(result.logits)).slice(-11);
    backend.free([state, result]);
    return logits;
  };

  testOnAll(
    `generate() gives the same tokens of ${name} from the same seed, others from another`,
    async (backend) => {
      const params = await put(make(1), backend);
      const [once, again, other] = await Promise.all(
        [7, 7, 8].map((seed) => collect(generate(model, params, [1, 2], { maxTokens: 30, seed }))),
      );
      assertEquals(once.ids.length, 30);
      assertEquals(once.ids, again.ids);
      assertNotEquals(once.ids, other.ids);
    },
  );

  testOnAll(`generate() at temperature 0 takes the most probable token of ${name}`, async (backend) => {
    const params = await put(make(2), backend);
    const prompt = Uint8Array.of(3, 1, 4, 1, 5);
    const { ids } = await collect(generate(model, params, prompt, { maxTokens: 25, temperature: 0 }));
    const tokens = [...prompt];
    for (const id of ids) {
      assertEquals(id, argmax(await logitsAfter(params, tokens)));
      tokens.push(id);
    }
    assertEquals(ids.length, 25);
  });

  testOnAll(`generate() draws each token of ${name} with the number of its step`, async (backend) => {
    const params = await put(make(2), backend);
    const options = { temperature: 1.5, topK: 7, topP: 0.95, seed: 9 };
    const { ids } = await collect(generate(model, params, [3], { ...options, maxTokens: 12 }));
    const tokens = [3];
    for (const [step, id] of ids.entries()) {
      const logits = tensor(await logitsAfter(params, tokens), [11], backend);
      assertEquals(await read(sample(logits, options, step)), Float32Array.of(id));
      tokens.push(id);
    }
    assert(new Set(ids).size > 3);
  });

  testOnAll(`generate() continues from the state of ${name} as if it had never stopped`, async (backend) => {
    const params = await put(make(3), backend);
    const options = { maxTokens: 6, temperature: 0 };
    const first = await collect(generate(model, params, [1, 2, 3], options));
    const second = await collect(generate(model, params, [4, 5], { ...options, state: first.state }));
    const all = [1, 2, 3, ...first.ids, 4, 5];
    for (const id of second.ids) {
      assertEquals(id, argmax(await logitsAfter(params, all)));
      all.push(id);
    }
    // The state has seen every token that was given or drawn, including the last one.
    const { logits } = model.forward(params, [[9]], second.state);
    assertNear(await read(logits), await logitsAfter(params, [...all, 9]), 1e-5);
  });

  testOnAll(`generate() does not change the given state of ${name}`, async (backend) => {
    const params = await put(make(3), backend);
    const { state } = model.forward(params, [[1, 2, 3]], model.initialState(params));
    const values = () => Promise.all(tensorsOf(state).map(read));
    const before = await values();
    const options = { maxTokens: 5, seed: 4, state };
    const aborted = { ...options, signal: AbortSignal.abort(new Error("no")) };
    const one = await collect(generate(model, params, [4], options));
    const two = await collect(generate(model, params, [4], options));
    assertEquals(one.ids, two.ids);
    for await (const _ of generate(model, params, [4, 5], options)) break;
    for (const failing of [generate(model, params, [99], options), generate(model, params, [4], aborted)]) {
      await failureOf(failing);
    }
    assertEquals(await values(), before);
  });

  testOnAll(
    `generate() with maxTokens 0 only reads the prompt into the state of ${name}`,
    async (backend) => {
      const params = await put(make(3), backend);
      const { ids, state } = await collect(generate(model, params, [1, 2, 3], { maxTokens: 0 }));
      assertEquals(ids, []);
      const { logits } = model.forward(params, [[4]], state);
      assertNear(await read(logits), await logitsAfter(params, [1, 2, 3, 4]), 1e-5);
    },
  );

  testOnAll(
    `generate() stops ${name} before a stop id, which the returned state has not seen`,
    async (backend) => {
      const params = await put(make(1), backend);
      const options = { maxTokens: 40, seed: 3 };
      const free = await collect(generate(model, params, [1, 2], options));
      const stop = free.ids[10];
      const length = free.ids.indexOf(stop);
      const { ids, state } = await collect(generate(model, params, [1, 2], { ...options, stop: [12, stop] }));
      assertEquals(ids, free.ids.slice(0, length));
      const { logits } = model.forward(params, [[stop]], state);
      assertNear(await read(logits), await logitsAfter(params, [1, 2, ...ids, stop]), 1e-5);
    },
  );

  testOnAll(
    `generate() with penalties counts the tokens of ${name} that were drawn, but not the prompt`,
    async (backend) => {
      const params = await put(make(2), backend);
      const prompt = [3, 3, 3, 1];
      for (const [frequencyPenalty, presencePenalty] of [[0.3, 0], [0, 1.1], [-0.2, 0.7]]) {
        const options = { maxTokens: 24, temperature: 0, frequencyPenalty, presencePenalty };
        const { ids } = await collect(generate(model, params, prompt, options));
        const tokens = [...prompt], counts = Array(11).fill(0);
        for (const id of ids) {
          const logits = await logitsAfter(params, tokens);
          const penalized = logits.map((logit, i) =>
            logit - frequencyPenalty * counts[i] - (counts[i] > 0 ? presencePenalty : 0)
          );
          assert(penalized[id] >= Math.max(...penalized) - 1e-5, `${ids} at ${tokens.length}`);
          tokens.push(id);
          counts[id]++;
        }
        assertEquals(ids.length, 24);
      }
    },
  );

  testOnAll(
    `generate() draws from transformed logits of ${name}, and passes the transform the counts of the drawn ids`,
    async (backend) => {
      const params = await put(make(2), backend);
      const options = { maxTokens: 30, topK: 9, seed: 3 };
      const plain = await collect(generate(model, params, [1, 2], options));
      const shapes: string[] = [];
      const same = (logits: Tensor, counts: Tensor) => {
        shapes.push(
          `${logits.shape} ${counts.shape} ${logits.backend === backend} ${counts.backend === backend}`,
        );
        return logits;
      };
      const kept = await collect(generate(model, params, [1, 2], { ...options, transform: same }));
      assertEquals(kept.ids, plain.ids);
      assertEquals([...new Set(shapes)], ["1,11 1,11 true true"]);

      const never = tensor(Array(11).fill(-1e9), [1, 11], backend);
      const once = (logits: Tensor, counts: Tensor) => add(logits, multiply(counts, never));
      const { ids } = await collect(generate(model, params, [5, 5], { transform: once, maxTokens: 11 }));
      assertEquals(ids.toSorted((a, b) => a - b), [...Array(11).keys()]);
      // Called after the penalties: it sees the penalized logits.
      const last = { transform: once, maxTokens: 11, presencePenalty: 5 };
      assertEquals(new Set((await collect(generate(model, params, [5, 5], last))).ids).size, 11);
      const only = tensor([0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0], [1, 11], backend);
      const constant = { transform: () => only, maxTokens: 5, temperature: 0 };
      assertEquals((await collect(generate(model, params, [5], constant))).ids, [4, 4, 4, 4, 4]);
    },
  );

  testOnAll(
    `generate() stops ${name} before a stop sequence, which the returned state has not seen, and returns partial matches`,
    async (backend) => {
      const params = await put(make(1), backend);
      const options = { maxTokens: 24, seed: 3 };
      const { ids: free, state: unused } = await collect(generate(model, params, [1, 2], options));
      backend.free(unused);
      const { bytes } = backend.memory();
      for (const [start, length] of [[0, 2], [4, 3], [9, 5], [20, 4]]) {
        const list = free.slice(start, start + length), unlike = [...list.slice(0, -1), 12];
        const text = `,${free},`, end = text.slice(0, text.indexOf(`,${list},`)).split(",").length - 1;
        const stop = [unlike, list, 13], all = { ...options, stop };
        const { ids, state } = await collect(generate(model, params, [1, 2], all));
        assertEquals(ids, free.slice(0, end), `${list} in ${free}`);
        const { logits, state: after } = model.forward(params, [[7]], state);
        assertNear(await read(logits), await logitsAfter(params, [1, 2, ...ids, 7]), 1e-5);
        backend.free([logits, state, after]);
        const whole = await collect(generate(model, params, [1, 2], { ...options, stop: [unlike] }));
        assertEquals(whole.ids, free);
        backend.free(whole.state);
        assertEquals(backend.memory().bytes, bytes);
      }
      // When the last token was drawn, the beginning of a list had been drawn.
      const list = free.slice(22), maxTokens = 23;
      const cut = await collect(generate(model, params, [1, 2], { ...options, maxTokens, stop: [list] }));
      assertEquals(cut.ids, free.slice(0, 23));
      const { logits } = model.forward(params, [[7]], cut.state);
      assertNear(await read(logits), await logitsAfter(params, [1, 2, ...cut.ids, 7]), 1e-5);
    },
  );

  testOnAll(
    `generate() with all options frees everything of ${name} if the reader stops`,
    async (backend) => {
      const params = await put(make(1), backend);
      const { bytes } = backend.memory();
      const options = {
        frequencyPenalty: 0.1,
        stop: Array.from({ length: 121 }, (_, i) => [i % 11, Math.floor(i / 11), 11]),
      };
      for (const length of [1, 2, 7, 23]) {
        let seen = 0;
        for await (const _ of generate(model, params, [1, 2, 3], options)) if (++seen === length) break;
        assertEquals([seen, backend.memory().bytes], [length, bytes]);
      }
      backend.free((await collect(generate(model, params, [1], { ...options, maxTokens: 30 }))).state);
      assertEquals(backend.memory().bytes, bytes);
    },
  );

  testOnAll(`generate() of ${name} leaves only the returned state allocated`, async (backend) => {
    const params = await put(make(1), backend);
    const { bytes } = backend.memory();
    for (const prompt of [[1], [1, 2, 3]]) {
      for (const maxTokens of [0, 1, 7]) {
        backend.free((await collect(generate(model, params, prompt, { maxTokens }))).state);
        assertEquals(backend.memory().bytes, bytes, `prompt ${prompt}, ${maxTokens} tokens`);
      }
    }
  });

  testOnAll(`generate() of ${name} frees everything if the reader stops early`, async (backend) => {
    const params = await put(make(1), backend);
    const { bytes } = backend.memory();
    let seen = 0;
    for await (const _ of generate(model, params, [1, 2, 3])) if (++seen === 5) break;
    assertEquals([seen, backend.memory().bytes], [5, bytes]);

    const stream = generate(model, params, [1]);
    await stream.next();
    await stream.return(undefined);
    assertEquals(backend.memory().bytes, bytes);
    assertEquals(await stream.next(), { value: undefined, done: true });
  });

  testOnAll(`generate() of ${name} throws the reason of its signal and frees everything`, async (backend) => {
    const params = await put(make(1), backend);
    const { bytes } = backend.memory();
    const controller = new AbortController(), reason = new Error("enough");
    const seen: number[] = [];
    let caught: unknown;
    try {
      for await (const id of generate(model, params, [1, 2], { signal: controller.signal, maxTokens: 50 })) {
        seen.push(id);
        if (seen.length === 3) controller.abort(reason);
      }
    } catch (error) {
      caught = error;
    }
    assertStrictEquals(caught, reason);
    assertEquals([seen.length, backend.memory().bytes], [3, bytes]);

    const { error, ids } = await failureOf(
      generate(model, params, [1, 2], { signal: AbortSignal.abort(reason), maxTokens: 1 }),
    );
    assertStrictEquals(error, reason);
    assertEquals([ids, backend.memory().bytes], [[], bytes]);
  });

  testOnAll(`generate() refuses NaN logits of ${name} and frees everything`, async (backend) => {
    const params = make(1) as { head: { shape: readonly number[] } };
    const head = engineOf(reference).upload(
      new Float32Array(11 * params.head.shape[1]).fill(NaN),
      params.head.shape,
    );
    const spoilt = await put({ ...params, head }, backend);
    const { bytes } = backend.memory();
    const { error } = await failureOf(generate(model, spoilt, [1, 2]));
    assertEquals(
      `${error}`,
      "RangeError: Cannot generate: logits must be numbers, current logits of step 0 hold NaN",
    );
    assertEquals(backend.memory().bytes, bytes);
  });

  testOnAll(`generate() of ${name} frees everything if an id is out of range`, async (backend) => {
    const params = await put(make(1), backend);
    const { bytes } = backend.memory();
    for (const prompt of [[99], [99, 1], [1, 99]]) {
      const { error } = await failureOf(generate(model, params, prompt));
      assertEquals(
        `${error}`,
        "RangeError: Cannot look up embedding: tokens must be integers from 0 to 10, current id is 99 at [0, 0]",
      );
      assertEquals(backend.memory().bytes, bytes);
    }
  });

  if (name === "transformer") continue;
  testOnAll(`generate() of ${name} takes constant memory`, async (backend) => {
    const params = await put(make(1), backend);
    // After the shorter blocks of a backend that draws ahead.
    const start = 86, maxTokens = backend.name === "webgpu" ? 300 : 2000;
    let count = 0, held: MemoryUse | undefined;
    for await (const _ of generate(model, params, [1, 2, 3], { maxTokens })) {
      if (++count === start) held = backend.memory();
      else if (count > start) assertEquals(backend.memory(), held);
    }
    assertEquals(count, maxTokens);
  });
}

const [{ model, make }] = models;
const params = make(1);
const step = (prompt: unknown, options: unknown = {}) => () =>
  generate(model, params, wrong(prompt), options as GenerateOptions<unknown>).next();
const option = (name: string, value: unknown) => step([1], { [name]: value });

testFailures("generate()", [
  [
    "an empty prompt",
    step([]),
    TypeError,
    "Cannot generate: prompt must be a list of at least one id, current value is an array of length 0",
  ],
  [
    "no prompt",
    step(undefined),
    TypeError,
    "Cannot generate: prompt must be a list of at least one id, current value is undefined",
  ],
  [
    "text as a prompt",
    step("once"),
    TypeError,
    'Cannot generate: prompt must be a list of at least one id, current value is "once"',
  ],
  [
    "a number as a prompt",
    step(5),
    TypeError,
    "Cannot generate: prompt must be a list of at least one id, current value is 5",
  ],
  [
    "an unknown id",
    step([1, 11]),
    RangeError,
    "Cannot look up embedding: tokens must be integers from 0 to 10, current id is 11 at [0, 0]",
  ],
  [
    "text as an id",
    step(["a"]),
    RangeError,
    'Cannot look up embedding: tokens must be integers from 0 to 10, current id is "a" at [0, 0]',
  ],
  ...[-1, 1.5, NaN].map((value): Failure => [
    `maxTokens ${value}`,
    option("maxTokens", value),
    RangeError,
    `Cannot generate: maxTokens must be an integer at least 0, current value is ${value}`,
  ]),
  [
    "maxTokens of text",
    option("maxTokens", "3"),
    TypeError,
    'Cannot generate: maxTokens must be a number, current value is "3"',
  ],
  [
    "a stop that is no list",
    option("stop", 3),
    TypeError,
    "Cannot generate: stop must be a list of ids, current value is 3",
  ],
  [
    "a stop that holds an empty list",
    option("stop", [3, []]),
    TypeError,
    "Cannot generate: stop must hold ids and lists of at least one, current stop[1] is an array of length 0",
  ],
  [
    "a stop that holds text",
    option("stop", ["a"]),
    TypeError,
    'Cannot generate: stop must hold ids and lists of at least one, current stop[0] is "a"',
  ],
  ...["frequencyPenalty", "presencePenalty"].flatMap((name): Failure[] => [
    [
      `${name} NaN`,
      option(name, NaN),
      RangeError,
      `Cannot generate: ${name} must be finite, current value is NaN`,
    ],
    [
      `${name} of text`,
      option(name, "1"),
      TypeError,
      `Cannot generate: ${name} must be a number, current value is "1"`,
    ],
  ]),
  [
    "a transform that is none",
    option("transform", 3),
    TypeError,
    "Cannot generate: transform must be a function, current value is 3",
  ],
  [
    "a transform to another shape",
    option("transform", () => tensor([1], [1])),
    TypeError,
    "Cannot generate: result of transform must be [1, 11], current shape is [1]",
  ],
  [
    "a transform to a promise",
    option("transform", (logits: Tensor) => Promise.resolve(logits)),
    TypeError,
    "Cannot generate: result of transform must be a tensor [1, 11], current value is a promise",
  ],
  ...[-1, NaN, Infinity].map((value): Failure => [
    `temperature ${value}`,
    option("temperature", value),
    RangeError,
    `Cannot generate: temperature must be finite and at least 0, current temperature is ${value}`,
  ]),
  [
    "temperature of text",
    option("temperature", "hot"),
    TypeError,
    'Cannot generate: temperature and topP must be numbers, current values are "hot" and 1',
  ],
  [
    "topK -1",
    option("topK", -1),
    RangeError,
    "Cannot generate: topK must be an integer at least 0, current value is -1",
  ],
  [
    "topK 1.5",
    option("topK", 1.5),
    RangeError,
    "Cannot generate: topK must be an integer at least 0, current value is 1.5",
  ],
  ...[0, 1.1, NaN, -1].map((value): Failure => [
    `topP ${value}`,
    option("topP", value),
    RangeError,
    `Cannot generate: topP must be above 0 and at most 1, current topP is ${value}`,
  ]),
  ...[-1, 0.5, NaN, 2 ** 53].map((value): Failure => [
    `seed ${value}`,
    option("seed", value),
    RangeError,
    `Cannot generate: seed must be an integer at least 0, current value is ${value}`,
  ]),
]);
