/**
 * A tensor in several places of a tree, such as a model's head that is its embedding, stays one tensor everywhere.
 */
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import {
  adamW,
  add,
  type AnyLanguageModel,
  type Backend,
  clipByGlobalNorm,
  createReference,
  crossEntropy,
  fit,
  fromOfficialRwkv,
  linear,
  loadTree,
  lstmModel,
  motifTask,
  parameterCount,
  put,
  read,
  readFloat64,
  rwkv,
  sampleSequences,
  saveTree,
  sliceState,
  squaredNorm,
  stackStates,
  type Tensor,
  tensor,
  toOfficialRwkv,
  transformer,
  treeMap,
  valueAndGrad,
} from "@seqmix/seqmix";
import { vjp } from "../src/autodiff/mod.ts";
import { partGradient, raveledGradient } from "../src/train/batch_gradient.ts";
import { languageLoss } from "../src/train/language_objective.ts";
import { ravel, unravel } from "../src/train/ravel.ts";
import { tensorsOf } from "../src/tree.ts";
import { headerOf } from "./checkpoint/files.ts";
import { assertNear, assertSame, randomTensor, testFailures, testOnAll } from "./helpers.ts";

/** The tied tensors of a model's parameters. */
interface Tied {
  readonly embedding: Tensor;
  readonly head: Tensor;
}

const sizes = { vocabulary: 7, layers: 2, channels: 6 }, wide = { ...sizes, feedForward: 9 };
const models = [
  { model: rwkv as AnyLanguageModel, config: wide },
  { model: transformer as AnyLanguageModel, config: { ...wide, channels: 8, heads: 2 } },
  { model: lstmModel as AnyLanguageModel, config: sizes },
];

/** Parameters whose head is the embedding. */
async function tiedParams(model: AnyLanguageModel, config: unknown, backend: Backend): Promise<Tied> {
  const params = model.init(config, 1) as Tied;
  const shared = randomTensor(3, params.embedding.shape);
  return await put({ ...params, embedding: shared, head: shared }, backend);
}

function lossOf(model: AnyLanguageModel) {
  return (params: Tied) => {
    const { logits } = model.forward(params, [[1, 2, 3, 1]], model.initialState(params));
    return crossEntropy(logits, [[2, 3, 1, 0]]);
  };
}

for (const { model, config } of models) {
  testOnAll(`the gradient of a tied ${model.name} is the sum over its places`, async (backend) => {
    const tied = await tiedParams(model, config, backend);
    assertStrictEquals(tied.head, tied.embedding);
    const apart = { ...tied, head: tensor(await read(tied.head), tied.head.shape, backend) };
    const one = valueAndGrad(lossOf(model), tied).grads, two = valueAndGrad(lossOf(model), apart).grads;
    assertStrictEquals(one.head, one.embedding);
    assertNear(await read(one.head), await read(add(two.head, two.embedding)), 1e-6);
    const others = ({ embedding: _, head: __, ...rest }: Tied) => tensorsOf(rest);
    for (const [i, t] of others(one).entries()) assertNear(await read(t), await read(others(two)[i]), 1e-6);
  });

  Deno.test(`the gradient of a tied ${model.name} is the slope`, async () => {
    using exact = createReference({ precision: "float64" });
    const tied = await tiedParams(model, config, exact);
    const grad = await readFloat64(valueAndGrad(lossOf(model), tied).grads.head);
    const numbers = await readFloat64(tied.head), step = 1e-5;
    const lossAt = async (element: number, by: number) => {
      const moved = tensor(numbers.map((x, i) => i === element ? x + by : x), tied.head.shape, exact);
      return (await readFloat64(lossOf(model)({ ...tied, embedding: moved, head: moved })))[0];
    };
    const elements = [0, 7, 13, 20, numbers.length - 1];
    const slopes = [];
    for (const element of elements) {
      slopes.push((await lossAt(element, step) - await lossAt(element, -step)) / (2 * step));
    }
    assertNear(elements.map((element) => grad[element]), slopes, 1e-6);
  });

  testOnAll(`adamW.update() of a tied ${model.name} keeps it tied, and updates it once`, async (backend) => {
    let params = await tiedParams(model, config, backend), state = adamW.init(params);
    // By itself, with the same gradients as among the others.
    let alone: unknown = params.head, ofAlone = adamW.init(alone);
    for (let step = 0; step < 3; step++) {
      const grads = clipByGlobalNorm(valueAndGrad(lossOf(model), params).grads, 0.1);
      assertStrictEquals(grads.head, grads.embedding);
      ({ params: alone, state: ofAlone } = adamW.update(grads.head as unknown, ofAlone, alone, {
        learningRate: 0.1,
      }));
      ({ params, state } = adamW.update(grads, state, params, { learningRate: 0.1 }));
      assertStrictEquals(params.head, params.embedding);
      assertStrictEquals(state.mean.head, state.mean.embedding);
      assertStrictEquals(state.variance.head, state.variance.embedding);
    }
    assertSame(await read(params.head), await read(alone as Tensor));
  });

  Deno.test(`a tied ${model.name} is saved once, and loaded as one tensor`, async () => {
    using backend = createReference();
    const tied = await tiedParams(model, config, backend);
    const bytes = saveTree({ params: tied, optimizer: adamW.init(tied) });
    const tree = loadTree(bytes).tree as { params: Tied; optimizer: { mean: Tied } };
    assertStrictEquals(tree.params.head, tree.params.embedding);
    assertStrictEquals(tree.optimizer.mean.head, tree.optimizer.mean.embedding);
    assertNotStrictEquals(tree.optimizer.mean.head, tree.params.head);
    assertSame(await read(tree.params.head), await read(tied.head));
    const names = Object.keys(JSON.parse(headerOf(bytes)));
    assert(names.includes("params.embedding") && !names.includes("params.head"));
    assertEquals(saveTree(tree), bytes);
  });
}

Deno.test("saveTree() of a tree without ties writes version 1, with ties version 2", () => {
  const form = (tree: unknown) =>
    JSON.parse(JSON.parse(headerOf(saveTree(tree))).__metadata__["seqmix.tree"]);
  const [a, b] = [tensor([1], [1]), tensor([1], [1])];
  assertEquals(form({ a, b }), { version: 1, tree: { a: { $tensor: "a" }, b: { $tensor: "b" } } });
  assertEquals(form({ a, b: [a] }), { version: 2, tree: { a: { $tensor: "a" }, b: [{ $tensor: "a" }] } });
});

testOnAll(
  "treeMap(), put(), ravel() and free() take a tensor in several places once",
  async (backend) => {
    const x = tensor([1, 2], [2], backend), y = tensor([1, 2], [2], backend);
    const tree = { a: x, list: [y, { deep: x }] as const, b: y };
    const held = backend.memory().bytes, paths: string[] = [];
    const sums = treeMap(tree, (t, path) => (paths.push(path), add(t, t)));
    assertEquals(paths, ["a", "list.0"]);
    assertStrictEquals(sums.list[1].deep, sums.a);
    assertStrictEquals(sums.b, sums.list[0]);
    assertEquals(backend.memory().bytes, 2 * held);
    assertEquals(parameterCount(tree), 4);
    using host = createReference();
    const moved = await put(sums, host);
    assertStrictEquals(moved.list[1].deep, moved.a);
    assertEquals(host.memory().bytes, 16);
    const raveled = await ravel(sums, new Float32Array(4));
    assertSame(raveled, [2, 4, 2, 4]);
    const back = unravel(tree, raveled, backend);
    assertStrictEquals(back.b, back.list[0]);
    backend.free([back, sums]);
    backend.free(sums);
    assertEquals(backend.memory().bytes, held);
  },
);

testOnAll("squaredNorm() and clipByGlobalNorm() count a tensor in several places once", async (backend) => {
  const x = tensor([3], [1], backend), tree = { a: x, b: tensor([4], [1], backend), c: x };
  assertNear(await read(squaredNorm(tree)), [25], 1e-6);
  const { a, b, c } = clipByGlobalNorm(tree, 1);
  assertStrictEquals(a, c);
  assertNear([...await read(a), ...await read(b)], [0.6, 0.8], 1e-6);
});

testOnAll("valueAndGrad() returns different tensors for different parameters", async (backend) => {
  const params = { a: tensor([2], [1], backend), b: tensor([2], [1], backend), c: tensor([5], [1], backend) };
  const held = backend.memory().bytes;
  const { value, grads } = valueAndGrad(({ a, b, c }: typeof params) => add(add(a, b), add(c, c)), params);
  assertSame([...await read(grads.a), ...await read(grads.b), ...await read(grads.c)], [1, 1, 2]);
  assertNotStrictEquals(grads.a, grads.b);
  const square = squaredNorm(grads);
  assertNear(await read(square), [6], 1e-6);
  backend.free([value, grads, square]);
  assertEquals(backend.memory().bytes, held);
});

testOnAll(
  "valueAndGrad() and vjp() of states that share a tensor return one gradient",
  async (backend) => {
    const zero = tensor([0, 0], [1, 2], backend), state = { hidden: zero, cell: zero };
    const weights = tensor([1, 10, 100, 1000], [1, 4], backend);
    const f = ({ hidden, cell }: typeof state) => {
      assertStrictEquals(hidden, cell);
      return linear(
        stackStates([hidden, cell]).backend.scope(() => add(hidden, cell)),
        weights.backend.scope(
          () => linear(weights, tensor([1, 0, 0, 0, 0, 1, 0, 0], [2, 4], backend)),
        ),
      );
    };
    const { grads } = valueAndGrad(f, state);
    assertStrictEquals(grads.hidden, grads.cell);
    assertSame(await read(grads.cell), [2, 20]);
    const pulled = vjp((s: typeof state) => [f(s)], state, [tensor([1], [1, 1], backend)]).grads;
    assertStrictEquals(pulled.hidden, pulled.cell);
    assertSame(await read(pulled.cell), [2, 20]);
  },
);

testOnAll("stackStates() and sliceState() keep what all states share", async (backend) => {
  const row = (x: number) => tensor([x], [1, 1], backend);
  const [x, y, z] = [row(1), row(2), row(3)];
  const whole = stackStates([{ a: x, b: x, c: x }, { a: y, b: y, c: z }]);
  assertStrictEquals(whole.a, whole.b);
  assertNotStrictEquals(whole.a, whole.c);
  assertSame([...await read(whole.b), ...await read(whole.c)], [1, 2, 1, 3]);
  const part = sliceState(whole, 1);
  assertStrictEquals(part.a, part.b);
  assertSame([...await read(part.b), ...await read(part.c)], [2, 3]);
});

Deno.test("toOfficialRwkv() has every name, and fromOfficialRwkv() keeps ties", async () => {
  using backend = createReference();
  const tied = await tiedParams(rwkv, wide, backend);
  const official = toOfficialRwkv(tied as never);
  assertNotStrictEquals(official["head.weight"], official["emb.weight"]);
  assertSame(await read(official["head.weight"]), await read(official["emb.weight"]));
  const names = Object.keys(JSON.parse(headerOf(saveTree(official))));
  assert(names.includes("emb.weight") && names.includes("head.weight"));
  const shared = official["blocks.0.att.time_mix_k"], emb = official["emb.weight"];
  const back = fromOfficialRwkv({ ...official, "blocks.1.att.time_mix_k": shared, "head.weight": emb });
  assertStrictEquals(back.head, back.embedding);
  assertStrictEquals(back.blocks[0].timeMix.mixK, back.blocks[1].timeMix.mixK);
});

const bank = motifTask({ motifs: 4, motifLength: 4, vocabulary: 7, longestCycle: 2 }, 1);
const train = sampleSequences(bank, { count: 12, length: 9, seed: 2 });

for (const { model, config } of models) {
  Deno.test(`fit() of a tied ${model.name} is the same with two workers, and from a checkpoint`, async () => {
    using backend = createReference();
    const options = { backend, epochs: 2, batchSize: 4, learningRate: 0.01, every: 1 };
    const run = async (start: object) => {
      const losses: number[] = [], checkpoints: Uint8Array[] = [];
      let params: Tied | undefined;
      for await (const at of fit(model, { train }, { ...options, ...start } as never)) {
        losses.push(...at.losses);
        checkpoints.push(await at.checkpoint());
        params = at.params as Tied;
        assertStrictEquals(params.head, params.embedding);
      }
      return { losses, checkpoints, params: params! };
    };
    const params = await tiedParams(model, config, backend);
    const one = await run({ params }), two = await run({ params, workers: 2 });
    assertNear(two.losses, one.losses, 1e-4);
    assertNear(await read(two.params.head), await read(one.params.head), 1e-2);
    const resumed = await run({ resume: two.checkpoints[1], workers: 2 });
    assertSame(resumed.losses, two.losses.slice(2));
    const numbers = new Float32Array(parameterCount(params));
    const part = { inputs: [[1, 2]], targets: [[2, 3]], share: 1 };
    assertEquals(
      (await raveledGradient(partGradient(languageLoss(model)), params, part, backend, numbers)).grads.length,
      numbers.length,
    );
  });
}

const [a, b] = [1, 2].map((x) => tensor([x], [1]));
const tied = { embedding: a, layers: [b], head: a };

testFailures("adamW.update() of a parameter in two places", [
  [
    "two gradients",
    () => adamW.update({ ...tied, head: b }, adamW.init(tied), tied, { learningRate: 1 }),
    TypeError,
    "Cannot update parameters: grads must have one tensor where params have one, current grads has two at embedding " +
    "and head",
  ],
  [
    "two means",
    () => {
      const state = adamW.init(tied);
      return adamW.update(tied, { ...state, mean: { ...state.mean, head: b } }, tied, { learningRate: 1 });
    },
    TypeError,
    "Cannot update parameters: state.mean must have one tensor where params have one, current state.mean has two at " +
    "embedding and head",
  ],
]);
