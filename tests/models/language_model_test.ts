import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  createReference,
  lstmModel,
  put,
  read,
  rwkv,
  type Tensor,
  tensor,
  transformer,
} from "@seqmix/seqmix";
import { tensorsOf } from "../../src/tree.ts";
import { assertSame, type Failure, testFailures, testOnAll, wrong } from "../helpers.ts";
import { models } from "../mixers.ts";

const inits: readonly { readonly name: string; init(seed: number): unknown }[] = [
  {
    name: "rwkv",
    init: (seed) => rwkv.init({ vocabulary: 11, layers: 2, channels: 6, feedForward: 9 }, seed),
  },
  {
    name: "transformer",
    init: (seed) =>
      transformer.init({ vocabulary: 11, layers: 2, channels: 8, feedForward: 9, heads: 2 }, seed),
  },
  { name: "lstmModel", init: (seed) => lstmModel.init({ vocabulary: 11, layers: 2, channels: 6 }, seed) },
];

/** All numbers of a tree's tensors. */
async function numbersOf(tree: unknown): Promise<number[]> {
  return (await Promise.all(tensorsOf(tree).map(read))).flatMap((values) => [...values]);
}

for (const { name, init } of inits) {
  Deno.test(`${name}.init() gives the same parameters from the same seed, others from another`, async () => {
    const [once, again, other] = await Promise.all([init(5), init(5), init(6)].map(numbersOf));
    assertEquals(once, again);
    assertNotEquals(once, other);
  });

  Deno.test(`${name}.init() gives no two matrices the same numbers`, async () => {
    const matrices = tensorsOf(init(5)).filter(({ shape }) => shape.length === 2);
    const starts = await Promise.all(matrices.map(async (t) => (await read(t)).slice(0, 4).join()));
    const drawn = starts.filter((start) => start !== "0,0,0,0");
    assertEquals(new Set(drawn).size, drawn.length);
  });

  testFailures(
    `${name}.init() with a seed`,
    [NaN, -1, 0.5].map((seed): Failure => [
      String(seed),
      () => init(seed),
      RangeError,
      `Cannot make a random source: seed must be an integer at least 0, current value is ${seed}`,
    ]),
  );
}

for (const { name, model, make } of models) {
  testOnAll(`${name}.forward() accepts lists, typed arrays and a tensor of ids alike`, async (backend) => {
    const params = await put(make(1), backend);
    const state = model.initialState(params, 2);
    const lists = [[1, 10, 3], [0, 5, 5]];
    const forms = [lists, lists.map((ids) => Uint8Array.from(ids)), tensor(lists.flat(), [2, 3], backend)];
    const [first, ...others] = await Promise.all(
      forms.map(async (tokens) => {
        const { logits } = model.forward(params, tokens, state);
        assertEquals(logits.shape, [2, 3, 11]);
        return await read(logits);
      }),
    );
    for (const other of others) assertSame(other, first);
  });

  testOnAll(
    `${name}.forward() returns NaN for an id out of range in a tensor, at that step only`,
    async (backend) => {
      const params = await put(make(1), backend);
      for (const bad of [11, -1, 1.5, NaN]) {
        const tokens = tensor([1, bad, 2, 3, 4, 5], [2, 3], backend);
        const { logits } = model.forward(params, tokens, model.initialState(params, 2));
        const steps = await stepsOf(logits);
        assertEquals(steps.map((values) => values.every(Number.isNaN)), [
          false,
          true,
          true,
          false,
          false,
          false,
        ]);
        for (const i of [0, 3, 4, 5]) assert(steps[i].every(Number.isFinite), `step ${i} of ${bad}`);
      }
    },
  );

  testOnAll(`${name}.forward() allocates only logits and state, and changes no input`, async (backend) => {
    const params = await put(make(1), backend);
    const start = model.initialState(params, 2);
    const { state } = model.forward(params, [[1, 2], [3, 4]], start);
    const before = await numbersOf([params, start, state]);
    const { bytes } = backend.memory();
    const next = model.forward(params, [[5], [6]], state);
    assertEquals(await numbersOf([params, start, state]), before);
    backend.free(next);
    assertEquals(backend.memory().bytes, bytes);
  });

  testOnAll(`${name}.forward() frees everything when it fails`, async (backend) => {
    const params = await put(make(1), backend);
    const state = model.initialState(params, 1);
    const { bytes } = backend.memory();
    for (const tokens of [[[99]], [[1], [2]]]) {
      let failed = false;
      try {
        model.forward(params, tokens, state);
      } catch {
        failed = true;
      }
      assertEquals(failed, true);
      assertEquals(backend.memory().bytes, bytes);
    }
  });

  testOnAll(`${name}.initialState() lives on the parameters' backend`, async (backend) => {
    const params = await put(make(1), backend);
    const tensors = tensorsOf(model.initialState(params, 3));
    assert(tensors.length >= 2);
    for (const t of tensors) {
      assertEquals(t.shape[0], 3);
      assertEquals(t.backend === backend, true);
    }
  });

  const params = make(1);
  const state = model.initialState(params);
  const forward = (tokens: unknown, from: unknown = state) => () =>
    model.forward(params, wrong(tokens), from);
  const list = "tokens must be a tensor [B, T] or a list of B lists of T ids, B and T at least 1";
  testFailures(`${name}.forward()`, [
    [
      "an unknown id",
      forward([[0, 11]]),
      RangeError,
      "Cannot look up embedding: tokens must be integers from 0 to 10, current id is 11 at [0, 1]",
    ],
    [
      "a negative id",
      forward([[-1]]),
      RangeError,
      "Cannot look up embedding: tokens must be integers from 0 to 10, current id is -1 at [0, 0]",
    ],
    [
      "half an id",
      forward([[0], [0.5]]),
      RangeError,
      "Cannot look up embedding: tokens must be integers from 0 to 10, current id is 0.5 at [1, 0]",
    ],
    [
      "NaN as an id",
      forward([[NaN]]),
      RangeError,
      "Cannot look up embedding: tokens must be integers from 0 to 10, current id is NaN at [0, 0]",
    ],
    [
      "ragged lists",
      forward([[1, 2], [3]]),
      TypeError,
      "Cannot look up embedding: tokens must have one length, current lengths are 2 and 1",
    ],
    [
      "no sequence",
      forward([]),
      TypeError,
      `Cannot look up embedding: ${list}, current value is an array of length 0`,
    ],
    [
      "no token",
      forward([[]]),
      TypeError,
      `Cannot look up embedding: ${list}, current value is [an array of length 0, ...]`,
    ],
    [
      "a flat list",
      forward([1, 2]),
      TypeError,
      `Cannot look up embedding: ${list}, current value is [1, ...]`,
    ],
    ["a number", forward(3), TypeError, `Cannot look up embedding: ${list}, current value is 3`],
    [
      "a tensor of another rank",
      forward(tensor([1, 2], [2])),
      TypeError,
      "Cannot look up embedding: tokens must be [B, T], current shape is [2]",
    ],
    [
      "a tensor of another backend",
      forward(tensor([1, 2], [1, 2], createReference())),
      TypeError,
      "Cannot look up embedding: all tensors must live on one backend (move them with put), current weight " +
      "lives on reference and tokens on another reference",
    ],
    [
      "a state of another batch size",
      forward([[1], [2]]),
      TypeError,
      {
        rwkv: "Cannot mix time: state.shift must be [2, 9], current shape is [1, 9]",
        transformer: "Cannot attend with heads: state.key must be [2, T, 12], current shape is [1, 0, 12]",
        lstmModel: "Cannot run LSTM: state.hidden must be [2, 9], current shape is [1, 9]",
      }[name]!,
    ],
    [
      "a state of another depth",
      forward([[1]], shallow(state)),
      TypeError,
      {
        rwkv: "Cannot run RWKV: state.blocks must have 2 parts, current value is an array of length 1",
        transformer:
          "Cannot run Transformer: state.blocks must have 2 parts, current value is an array of length 1",
        lstmModel:
          "Cannot run LSTM model: state.layers must have 2 parts, current value is an array of length 1",
      }[name]!,
    ],
    [
      "a state of another kind",
      forward([[1]], {}),
      TypeError,
      {
        rwkv: "Cannot run RWKV: state must be a state of RWKV, current value is an object (Object)",
        transformer:
          "Cannot run Transformer: state must be a state of a Transformer, current value is an object (Object)",
        lstmModel:
          "Cannot run LSTM model: state must be a state of an LSTM, current value is an object (Object)",
      }[name]!,
    ],
  ]);

  const part = { rwkv: "time-mix", transformer: "attention", lstmModel: "LSTM" }[name]!;
  testFailures(`${name}.initialState()`, [
    ...[0, -1, 1.5, NaN].map((batch): Failure => [
      `batch ${batch}`,
      () => model.initialState(params, batch),
      RangeError,
      `Cannot make ${part} state: batch must be an integer at least 1, current value is ${batch}`,
    ]),
    [
      "a batch that is no number",
      () => model.initialState(params, wrong([1, 2])),
      TypeError,
      `Cannot make ${part} state: batch must be a number, current value is an array of length 2`,
    ],
  ]);
}

testOnAll("forward() refuses a state on another backend", async (backend) => {
  for (const { model, make } of models) {
    const params = await put(make(1), backend);
    const state = model.initialState(make(1));
    let message = "";
    try {
      model.forward(params, [[1]], state);
    } catch (error) {
      message = `${error}`;
    }
    assert(message.includes("all tensors must live on one backend (move them with put)"), message);
  }
});

async function stepsOf(logits: Tensor): Promise<Float32Array[]> {
  const values = await read(logits);
  const [batch, time, vocabulary] = logits.shape;
  return Array.from(
    { length: batch * time },
    (_, i) => values.subarray(i * vocabulary, (i + 1) * vocabulary),
  );
}

/** A state without its last layer. */
function shallow(state: unknown): unknown {
  return Object.fromEntries(
    Object.entries(state as Record<string, unknown[]>).map(([key, parts]) => [key, parts.slice(0, -1)]),
  );
}
