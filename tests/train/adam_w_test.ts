import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import {
  adamW,
  type Backend,
  createReference,
  type OptimizerState,
  read,
  readFloat64,
  tensor,
} from "@seqmix/seqmix";
import { tensorsOf } from "../../src/tree.ts";
import {
  assertNear,
  assertSame,
  type Failure,
  randomTensor,
  testFailures,
  testOnAll,
  wrong,
} from "../helpers.ts";

testOnAll("adamW.update() computes the steps of the equation", async (backend) => {
  const gradients = [[0.5, -2, 0], [0.25, 1, 0], [-1, 1e-3, 0]];
  const hyper = { learningRate: 0.1, beta1: 0.8, beta2: 0.9, epsilon: 1e-3, weightDecay: 0.05 };
  let params = { a: tensor([1, -2, 3], [3], backend) };
  let state = adamW.init(params);
  const theta = [1, -2, 3], m = [0, 0, 0], v = [0, 0, 0];
  for (const [i, g] of gradients.entries()) {
    ({ params, state } = adamW.update({ a: tensor(g, [3], backend) }, state, params, hyper));
    theta.forEach((before, c) => {
      m[c] = 0.8 * m[c] + 0.2 * g[c];
      v[c] = 0.9 * v[c] + 0.1 * g[c] ** 2;
      const direction = m[c] / (1 - 0.8 ** (i + 1)) / (Math.sqrt(v[c] / (1 - 0.9 ** (i + 1))) + 1e-3);
      theta[c] = before - 0.1 * 0.05 * before - 0.1 * direction;
    });
  }
  assertNear(await read(params.a), theta, 1e-6);
  assertNear(await read(state.mean.a), m, 1e-6);
  assertNear(await read(state.variance.a), v, 1e-6);
  assertEquals(state.step, 3);
});

testOnAll(
  "adamW.update() changes none of its arguments, and leaves nothing else allocated",
  async (backend) => {
    const params = { a: tensor([1, 2], [2], backend) }, grads = { a: tensor([3, 4], [2], backend) };
    const state = adamW.init(params);
    const held = backend.memory().bytes;
    const next = adamW.update(grads, state, params, { learningRate: 1 });
    assertSame(await read(params.a), [1, 2]);
    assertSame(await read(grads.a), [3, 4]);
    assertSame(await read(state.mean.a), [0, 0]);
    assertSame(await read(state.variance.a), [0, 0]);
    backend.free(next);
    assertEquals(backend.memory().bytes, held);
  },
);

Deno.test("adamW.update() accepts functions as hyperparameters", async () => {
  using backend = createReference({ precision: "float64" });
  const one = (shape: number[]) => tensor([1], shape, backend);
  const params = { layers: [{ decay: one([1]), key: one([1, 1]) }], heads: 4 };
  const seen: string[] = [];
  const next = adamW.update(params, adamW.init(params), params, {
    learningRate({ path }) {
      seen.push(path);
      return path.endsWith("decay") ? 0.2 : 0.1;
    },
    weightDecay: ({ shape }) => shape.length > 1 ? 0.5 : 0,
    epsilon: 1e-300,
  });
  const [layer] = next.params.layers;
  // The first step's direction is the gradient's sign.
  assertNear(await readFloat64(layer.decay), [1 - 0.2], 1e-12);
  assertNear(await readFloat64(layer.key), [1 - 0.1 * (0.5 + 1)], 1e-12);
  assertEquals(seen, ["layers.0.decay", "layers.0.key"]);
  assertEquals(next.params.heads, 4);
});

testOnAll("adamW.update() multiplies a leaf's rate by its factor", async (backend) => {
  const one = () => tensor([1], [1], backend);
  const params = { a: one(), b: one() };
  for (const learningRate of [0.1, tensor([0.1], [], backend), () => 0.1]) {
    const next = adamW.update(params, adamW.init(params), params, {
      learningRate,
      rateFactor: ({ path }) => path === "a" ? 0.5 : 0,
      weightDecay: 0.1,
    });
    assertNear(await read(next.params.a), [1 - 0.1 * 0.5 * (0.1 + 1)], 1e-6);
    assertSame(await read(next.params.b), [1]);
  }
});

testOnAll("adamW.update() gives the same bits for tensors as for numbers", async (backend) => {
  const start = { a: randomTensor(1, [37], backend), b: [randomTensor(2, [3, 5], backend)] };
  const scalar = (x: number) => tensor([x], [], backend);
  for (const taken of [0, 1, 2, 1000, 2 ** 24 - 4]) {
    let byNumber = { params: start, state: { ...adamW.init(start), step: taken } };
    let byTensor = { params: start, state: { ...adamW.init(start), step: scalar(taken) } };
    const before = byTensor.state.step;
    for (let i = 0; i < 3; i++) {
      const grads = { a: randomTensor(3 + i, [37], backend), b: [randomTensor(9 + i, [3, 5], backend)] };
      const rate = 1e-2 / (1 + i), hyper = { beta2: 0.999, rateFactor: 0.7 };
      byNumber = adamW.update(grads, byNumber.state, byNumber.params, { ...hyper, learningRate: rate });
      byTensor = adamW.update(grads, byTensor.state, byTensor.params, {
        ...hyper,
        learningRate: scalar(rate),
      });
    }
    assertEquals(byNumber.state.step, taken + 3);
    assertEquals(byTensor.state.step.shape, []);
    assertSame(await read(byTensor.state.step), [taken + 3]);
    assertSame(await read(before), [taken]);
    const expected = tensorsOf([byNumber.params, byNumber.state.mean, byNumber.state.variance]);
    const actual = tensorsOf([byTensor.params, byTensor.state.mean, byTensor.state.variance]);
    for (const [i, t] of actual.entries()) {
      assertSame(await read(t), await read(expected[i]), `tensor ${i} after ${taken} steps`);
    }
  }
});

testOnAll("adamW.update() confines a NaN to the parameter that has it", async (backend) => {
  const params = tensor([1, 2, 3], [3], backend);
  const next = adamW.update(tensor([0, NaN, 1], [3], backend), adamW.init(params), params, {
    learningRate: 0.1,
    weightDecay: 0,
  });
  const after = await read(next.params);
  assertEquals([...after].map(Number.isNaN), [false, true, false]);
});

/** The error of an update: thrown by it, or on an asynchronous device by the next read. */
function overflowOf(update: () => unknown, backend: Backend): Promise<Error> {
  return assertRejects(async () => {
    backend.free(update());
    await read(tensor([1], [1], backend));
  }, RangeError);
}

testOnAll(
  "adamW.update() refuses a gradient whose square overflows, and leaves nothing allocated",
  async (backend) => {
    const params = { blocks: [tensor([1, 2], [2], backend), tensor([3], [1], backend)] };
    const state = adamW.init(params), { bytes } = backend.memory();
    for (const numbers of [[1, 1e20], [Infinity, 1], [-2e38, NaN]]) {
      const grads = { blocks: [params.blocks[0], tensor([1], [1], backend)] };
      const wrong = { blocks: [tensor(numbers, [2], backend), grads.blocks[1]] };
      const held = backend.memory().bytes;
      const error = await overflowOf(
        () => adamW.update(wrong, state, params, { learningRate: 0.1 }),
        backend,
      );
      assertEquals(
        error.message,
        "Cannot update parameters: squared gradients must be finite, current gradient of blocks.0 overflows",
      );
      backend.free(wrong);
      assert(backend.memory().bytes <= held);
      // The error is reported once, and further updates are possible.
      const next = adamW.update({ blocks: [params.blocks[0], params.blocks[1]] }, state, params, {
        learningRate: 0.1,
        weightDecay: 0,
      });
      assertNear(await read(next.params.blocks[0]), [0.9, 1.9], 1e-6);
      backend.free(next);
    }
    assertSame(await read(params.blocks[0]), [1, 2]);
    assertSame(await read(state.variance.blocks[0]), [0, 0]);
    if (backend.name !== "webgpu") assertEquals(backend.memory().bytes, bytes);
  },
);

testOnAll(
  "adamW.update() refuses an infinite variance, and names a single parameter",
  async (backend) => {
    const params = tensor([1], [1], backend), start = adamW.init(params);
    const state = { ...start, variance: tensor([Infinity], [1], backend) };
    const error = await overflowOf(() => adamW.update(params, state, params, { learningRate: 0.1 }), backend);
    assertEquals(
      error.message,
      "Cannot update parameters: squared gradients must be finite, current gradient of the parameter overflows",
    );
  },
);

const magnitudes = fc.integer({ min: -30, max: 30 }).map((e) => 10 ** e);

/** In single precision, at any magnitude of the gradients. */
const steps = fc.record({
  grads: fc.array(fc.tuple(magnitudes, fc.integer({ min: -9, max: 9 })), {
    minLength: 1,
    maxLength: 9,
  }).map((grads) => grads.map(([unit, x]) => Math.fround(unit * x))),
  before: fc.array(fc.tuple(magnitudes, fc.integer({ min: -3, max: 3 })), {
    minLength: 9,
    maxLength: 9,
  }).map((grads) => grads.map(([unit, x]) => Math.fround(Math.min(unit, 1e18) * x))),
  isFirst: fc.boolean(),
  beta1: fc.constantFrom(0, 0.5, 0.9, 0.999),
  beta2: fc.constantFrom(0, 0.5, 0.95, 0.999, 0.999999),
  epsilon: fc.constantFrom(1e-37, 1e-20, 1e-12, 1e-8, 1e-3, 1, 1e10),
  weightDecay: fc.constantFrom(0, 0.1),
});

testOnAll(
  "adamW.update() equals its equation, or refuses, at every magnitude of gradients",
  async (backend) => {
    const property = fc.asyncProperty(steps, async ({ grads, before, isFirst, ...hyper }) => {
      const size = grads.length, put = (list: readonly number[]) => tensor(list, [size], backend);
      const { beta1, beta2, epsilon, weightDecay } = hyper;
      const params = put(grads.map((_, i) => i % 3 - 1)), old = before.slice(0, size);
      const mean = put(old.map((g) => isFirst ? 0 : (1 - beta1) * g));
      const variance = put(old.map((g) => isFirst ? 0 : (1 - beta2) * g * g));
      const [m, v] = [await read(mean), await read(variance)].map((list) => [...list]);
      const step = isFirst ? 0 : 3, rate = 1e-2;
      const nextV = grads.map((g, i) => beta2 * v[i] + (1 - beta2) * g * g);
      const update = () =>
        adamW.update(put(grads), { step, mean, variance }, params, { ...hyper, learningRate: rate });
      // Near the end of the range either is correct.
      const largest = Math.max(...nextV);
      if (largest > 3.39e38 && largest < 3.41e38) return;
      if (largest > 3.4e38) {
        await overflowOf(update, backend);
        return;
      }
      const next = update();
      const [nextParam, nextMean, nextVariance] = [
        await read(next.params),
        await read(next.state.mean),
        await read(next.state.variance),
      ];
      for (const [i, g] of grads.entries()) {
        const exactMean = beta1 * m[i] + (1 - beta1) * g;
        const corrected = Math.sqrt(nextV[i] / (1 - beta2 ** (step + 1)));
        const direction = exactMean === 0 ? 0 : exactMean / (1 - beta1 ** (step + 1)) / (corrected + epsilon);
        const theta = i % 3 - 1, expected = theta - rate * (weightDecay * theta + direction);
        const terms = Math.abs(beta1 * m[i]) + Math.abs((1 - beta1) * g);
        const off = rate * terms / (1 - beta1 ** (step + 1)) / (corrected + epsilon || 1);
        const near = (actual: number, expected: number, scale: number) => {
          const error = Math.abs(actual - expected);
          assert(
            error <= 1e-5 * scale + 2 ** -120,
            `${actual} is not ${expected} for ${g}, ${m[i]}, ${v[i]}`,
          );
        };
        near(nextMean[i], exactMean, terms);
        near(nextVariance[i], nextV[i], nextV[i]);
        if (Math.abs(direction) < 3e38) near(nextParam[i], expected, Math.abs(theta) + off);
      }
      backend.free([params, mean, variance, next]);
    });
    await fc.assert(property, { numRuns: 60, seed: 2 });
  },
);

Deno.test("adamW.update() of a float64 reference is correct where squares leave its range", async () => {
  using backend = createReference({ precision: "float64" });
  const one = (x: number) => tensor([x], [1], backend);
  const take = (grad: number) => {
    const params = one(1);
    const hyper = { learningRate: 0.1, weightDecay: 0, epsilon: 1e-300 };
    return adamW.update(one(grad), adamW.init(params), params, hyper);
  };
  for (const grad of [1e-290, 1e-200, 1e-100, 1, 1e154]) {
    assertNear(await readFloat64(take(grad).params), [0.9], 1e-9, `after ${grad}`);
  }
  assertSame(await readFloat64(take(0).params), [1]);
  await assertRejects(
    async () => await read(take(1e160).params),
    RangeError,
    "squared gradients must be finite",
  );
});

const params = { a: tensor([1, 2], [2]) }, state = adamW.init(params);
const update = (grads: unknown, hyper: object, from: unknown = state) => () =>
  adamW.update(grads, from as OptimizerState, params as unknown, { learningRate: 0.1, ...hyper });

testFailures("adamW.update()", [
  [
    "a gradient of another shape",
    update({ a: tensor([1], [1]) }, {}),
    TypeError,
    "Cannot update parameters: grads must have the form of params, current tensor 0 is a tensor of shape [1] on " +
    "reference and that of params a tensor of shape [2] on reference",
  ],
  [
    "a gradient too many",
    update({ a: params.a, b: params.a }, {}),
    TypeError,
    "Cannot update parameters: grads must have the form of params, current tensor 1 is a tensor of shape [2] on " +
    "reference and that of params none",
  ],
  [
    "no state",
    update(params, {}, wrong(null)),
    TypeError,
    "Cannot update parameters: state.mean must have the form of params, current tensor 0 is none and that of params " +
    "a tensor of shape [2] on reference",
  ],
  [
    "no parameters",
    () => adamW.update({}, adamW.init({}), {}, { learningRate: 1 }),
    TypeError,
    "Cannot update parameters: params must hold tensors, current value is an object (Object)",
  ],
  [
    "learning rate",
    update(params, { learningRate: NaN }),
    RangeError,
    "Cannot update parameters: learningRate must be at least 0 and finite, current learningRate of a is NaN",
  ],
  ...[{}, { learningRate: undefined }, { learningRate: "1e-3" }].map((hyper): Failure => [
    `learning rate ${Deno.inspect(hyper)}`,
    () => adamW.update(params, state, params, wrong(hyper)),
    TypeError,
    `Cannot update parameters: learningRate must be a number, current value is ${
      "learningRate" in hyper && hyper.learningRate ? '"1e-3"' : "undefined"
    }`,
  ]),
  [
    "no hyperparameters",
    () => adamW.update(params, state, params, wrong(undefined)),
    TypeError,
    "Cannot update parameters: hyper must be an object, current value is undefined",
  ],
  [
    "a function that gives no number",
    update(params, { weightDecay: () => undefined }),
    TypeError,
    "Cannot update parameters: weightDecay must be a number, current value is undefined",
  ],
  [
    "rate factor",
    update(params, { rateFactor: () => -1 }),
    RangeError,
    "Cannot update parameters: rateFactor must be at least 0 and finite, current rateFactor of a is -1",
  ],
  [
    "a learning rate of two numbers",
    update(params, { learningRate: tensor([1, 2], [2]) }),
    TypeError,
    "Cannot update parameters: learningRate must be [], current shape is [2]",
  ],
  [
    "a learning rate that lives elsewhere",
    update(params, { learningRate: tensor([1], [], createReference()) }),
    TypeError,
    "Cannot update parameters: all tensors must live on one backend (move them with put), current params lives on " +
    "reference and learningRate on another reference",
  ],
  [
    "a count of steps with an axis",
    update(params, {}, { ...state, step: tensor([1], [1]) }),
    TypeError,
    "Cannot update parameters: state.step must be [], current shape is [1]",
  ],
  [
    "no count of steps",
    update(params, {}, { ...state, step: undefined }),
    TypeError,
    "Cannot update parameters: state.step must be a number, current value is undefined",
  ],
  [
    "steps below 0",
    update(params, {}, { ...state, step: -1 }),
    RangeError,
    "Cannot update parameters: state.step must be an integer at least 0, current value is -1",
  ],
  [
    "beta1",
    update(params, { beta1: 1 }),
    RangeError,
    "Cannot update parameters: beta1 must be from 0 to below 1, current beta1 of a is 1",
  ],
  [
    "epsilon",
    update(params, { epsilon: 0 }),
    RangeError,
    "Cannot update parameters: epsilon must be above 0 and finite, current epsilon of a is 0",
  ],
]);
