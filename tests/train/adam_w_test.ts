import { assertEquals } from "@std/assert";
import { adamW, createReference, type OptimizerState, read, readFloat64, tensor } from "@seqmix/seqmix";
import { assertNear, assertSame, testFailures, testOnAll, wrong } from "../helpers.ts";

testOnAll("adamW.update() takes the steps of the equation", async (backend) => {
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

testOnAll("adamW.update() changes nothing that it is given, and leaves nothing else", async (backend) => {
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
});

Deno.test("adamW.update() has hyperparameters by leaf where they are functions", async () => {
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

testOnAll("adamW.update() shows a NaN in the parameter that has it, and there alone", async (backend) => {
  const params = tensor([1, 2, 3], [3], backend);
  const next = adamW.update(tensor([0, NaN, 1], [3], backend), adamW.init(params), params, {
    learningRate: 0.1,
    weightDecay: 0,
  });
  const after = await read(next.params);
  assertEquals([...after].map(Number.isNaN), [false, true, false]);
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
