import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  add,
  appendTime,
  compile,
  createReference,
  customGradient,
  linear,
  multiply,
  ones,
  read,
  relu,
  sigmoid,
  tanh,
  type Tensor,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import { engineOf } from "../../src/engine.ts";
import { assertNear, assertSame, randomTensor, testFailures, testOnAll, wrong } from "../helpers.ts";

/** Σ x·weight. */
function weighed(x: Tensor, weight: Tensor): Tensor {
  return linear(x, weight);
}

testOnAll("customGradient() is forward without valueAndGrad()", async (backend) => {
  const x = tensor([-1, 2], [2], backend), { bytes } = backend.memory();
  const f = customGradient((x: Tensor) => relu(add(x, x)), () => {
    throw new Error("not differentiated");
  });
  const y = f(x);
  assertSame(await read(y), [0, 4]);
  assertEquals(backend.memory().bytes, 2 * bytes, "the sum was freed");
  backend.free(y);
  assertStrictEquals(customGradient((x: Tensor) => x, () => [null])(x), x);
});

testOnAll("customGradient() gives backward the gradient, the inputs and the result", async (backend) => {
  const a = tensor([1, 2], [2], backend), b = tensor([3, 4], [2], backend), { bytes } = backend.memory();
  const weight = tensor([5, 6], [1, 2], backend);
  const product = customGradient(multiply, (gradient, [a, b], y) => {
    assertStrictEquals(a.backend, backend);
    return [multiply(multiply(gradient, b), y), multiply(gradient, a)];
  });
  const { value, grads } = valueAndGrad(({ a, b }) => weighed(product(a, b), weight), { a, b });
  assertSame(await read(value), [5 * 3 + 6 * 8]);
  assertSame(await read(grads.a), [5 * 3 * 3, 6 * 4 * 8]);
  assertSame(await read(grads.b), [5, 12]);
  backend.free([value, grads, weight]);
  assertEquals(backend.memory().bytes, bytes);
});

/** Σ x·weight of matrices. */
function sum(x: Tensor, weight: Tensor): Tensor {
  const { shape: [rows, columns], backend } = weight;
  return linear(linear(ones([1, columns], backend), multiply(x, weight)), ones([1, rows], backend));
}

testOnAll("customGradient() of the true gradient equals what it stands for", async (backend) => {
  const x = randomTensor(1, [2, 67], backend), weight = randomTensor(2, [2, 67], backend);
  const twice = (x: Tensor) => tanh(tanh(x));
  const own = customGradient(twice, (gradient, [x]) => [
    valueAndGrad((x) => sum(twice(x), gradient), x).grads,
  ]);
  const [found, expected] = [own, twice].map((f) => valueAndGrad((x) => sum(f(sigmoid(x)), weight), x));
  assertSame(await read(found.value), await read(expected.value));
  assertNear(await read(found.grads), await read(expected.grads), 1e-6);
});

testOnAll(
  "customGradient() passes on inputs, gradients and other tensors without freeing them",
  async (backend) => {
    const kept = tensor([7, 8], [2], backend), weight = tensor([5, 6], [1, 2], backend);
    const x = tensor([1, 2], [2], backend);
    const same = customGradient((x: Tensor) => x, (gradient) => [gradient]);
    const constant = customGradient((_: Tensor) => kept, (_, [x]) => [x]);
    const closure = customGradient((x: Tensor) => x, () => [kept]);
    const both = customGradient((x: Tensor, y: Tensor) => [x, y, x, kept], ([x, y]) => [x, y]);
    const losses: readonly ((x: Tensor) => Tensor)[] = [
      (x) => same(multiply(x, x)),
      (x) => constant(multiply(x, x)),
      (x) => closure(multiply(x, x)),
      (x) => both(multiply(x, x), x)[2],
      (x) => both(multiply(x, x), x)[1],
      (x) => both(multiply(x, x), x)[3],
    ];
    const expected = [[10, 24], [2, 16], [14, 32], [10, 24], [5, 6], [0, 0]];
    const { bytes } = backend.memory();
    for (const [i, loss] of losses.entries()) {
      const { value, grads, aux } = valueAndGrad((x) => {
        const y = loss(x);
        return [weighed(y, weight), y] as const;
      }, x);
      assertSame(await read(grads), expected[i], `gradient ${i}`);
      assertSame(await read(kept), [7, 8]);
      assertSame(await read(x), [1, 2]);
      assertEquals((await read(aux)).length, 2);
      backend.free([value, grads, aux]);
      assertEquals(backend.memory().bytes, bytes, `${i}`);
    }
  },
);

testOnAll("customGradient() gives no gradient where backward returns null", async (backend) => {
  const x = tensor([1, 2], [2], backend), weight = tensor([5, 6], [1, 2], backend);
  const half = customGradient(add, (gradient) => [null, gradient]);
  const { grads } = valueAndGrad((x) => weighed(half(multiply(x, x), x), weight), x);
  assertSame(await read(grads), [5, 6]);
  const constant = customGradient((x: Tensor) => relu(x), () => {
    throw new Error("not differentiated");
  });
  const other = valueAndGrad((y) => weighed(add(constant(x), y), weight), x);
  assertSame(await read(other.grads), [5, 6]);
});

testOnAll(
  "customGradient() keeps the form of a tree, and gives 0 for results that are not used",
  async (backend) => {
    const x = tensor([1, 2], [2], backend), weight = tensor([5, 6], [1, 2], backend);
    const f = customGradient(
      (x: Tensor) => ({ count: 2, list: [tanh(x), sigmoid(x)] }),
      (gradient, [x], y) => {
        assertEquals([gradient.count, y.count, y.list.length], [2, 2, 2]);
        const [first, second] = gradient.list;
        return [add(add(first, second), x)];
      },
    );
    const { grads } = valueAndGrad((x) => weighed(f(x).list[1], weight), x);
    assertSame(await read(grads), [6, 8]);
  },
);

testOnAll("customGradient() can be compiled, with its gradient and without", async (backend) => {
  const weight = tensor([5, 6], [1, 2], backend);
  const f = customGradient((x: Tensor) => [x, tanh(x)], ([gradient, other], [x], [same]) => [
    add(add(gradient, other), multiply(x, same)),
  ]);
  using forward = compile((x: Tensor) => f(x));
  using step = compile((x: Tensor) => valueAndGrad((x) => weighed(f(multiply(x, x))[0], weight), x));
  for (let i = 0; i < 4; i++) {
    const x = tensor([i, 2], [2], backend);
    const [same, other] = forward(x);
    assertSame(await read(same), [i, 2]);
    assertNear(await read(other), [Math.tanh(i), Math.tanh(2)], 1e-6);
    const { value, grads } = step(x);
    assertSame(await read(value), [5 * i * i + 24]);
    assertSame(await read(grads), [2 * i * (5 + i ** 4), 4 * 22]);
  }
});

testOnAll("customGradient() passes on a key-value cache", async (backend) => {
  const cache = engineOf(backend).reserveTime(2, 4, 1), weight = ones([1, 2], backend);
  const past = appendTime(cache, tensor([1, 2], [2, 1, 1], backend));
  const first = customGradient((past: Tensor, _: Tensor) => past, (_, [, y]) => [null, y]);
  const { aux } = valueAndGrad((y) => [weighed(y, weight), first(past, y)] as const, ones([2], backend));
  assertSame(await read(aux), [1, 2]);
  assertSame(await read(appendTime(past, tensor([3, 4], [2, 1, 1], backend))), [1, 3, 2, 4]);
});

const x = tensor([1, 2], [2]), weight = tensor([5, 6], [1, 2]);
const elsewhere = createReference();
const lossOf = (backward: () => unknown) => () =>
  valueAndGrad((x) => weighed(customGradient((x: Tensor) => tanh(x), wrong(backward))(x), weight), x);

testFailures("customGradient()", [
  [
    "no backward",
    () => customGradient((x: Tensor) => x, wrong(undefined)),
    TypeError,
    "Cannot make custom gradient: backward must be a function, current value is undefined",
  ],
  [
    "a number",
    () => customGradient((x: Tensor) => x, () => [null])(wrong(3)),
    TypeError,
    "Cannot apply custom gradient: input 0 must be a tensor, current value is 3",
  ],
  [
    "no input",
    () => customGradient(() => x, () => [])(),
    TypeError,
    "Cannot apply custom gradient: there must be at least one input, current number is 0",
  ],
  [
    "inputs of two backends",
    () => customGradient(add, () => [null, null])(x, tensor([1, 2], [2], elsewhere)),
    TypeError,
    "Cannot apply custom gradient: all tensors must live on one backend (move them with put), current input 0 lives " +
    "on reference and input 1 on another reference",
  ],
  [
    "a forward that returns a promise",
    () => customGradient((x: Tensor) => Promise.resolve(x), () => [null])(x),
    TypeError,
    "Cannot apply custom gradient: forward's result must hold tensors (await it), current value is a promise",
  ],
  [
    "a forward that uses what is differentiated without taking it",
    () =>
      valueAndGrad((x) => weighed(customGradient((y: Tensor) => multiply(x, y), () => [null])(x), weight), x),
    TypeError,
    "Cannot apply custom gradient: forward must return tensors of its inputs' backend (what is differentiated must be " +
    "an input), current one of shape [2] lives on another reference",
  ],
  [
    "a backward that returns a tensor",
    lossOf(() => x),
    TypeError,
    "Cannot differentiate (custom gradient): backward must return a list with a gradient or null for each of 1 inputs, " +
    "current value is a tensor of shape [2]",
  ],
  [
    "a gradient of another shape",
    lossOf(() => [tensor([1], [1])]),
    TypeError,
    "Cannot differentiate (custom gradient): gradient 0 must be [2], current shape is [1]",
  ],
  [
    "a missing gradient",
    lossOf(() => [undefined]),
    TypeError,
    "Cannot differentiate (custom gradient): gradient 0 must be a tensor [2], current value is undefined",
  ],
  [
    "a gradient of another backend",
    lossOf(() => [tensor([1, 2], [2], elsewhere)]),
    TypeError,
    "Cannot differentiate (custom gradient): gradient 0 must live on its input's backend, current one lives on " +
    "another reference",
  ],
]);

Deno.test("customGradient() leaves nothing allocated if backward throws", () => {
  using backend = createReference();
  const x = tensor([1, 2], [2], backend), weight = tensor([5, 6], [1, 2], backend);
  const { bytes } = backend.memory();
  const failing = customGradient((x: Tensor) => tanh(tanh(x)), () => {
    throw new RangeError("mine");
  });
  assertThrows(() => valueAndGrad((x) => weighed(failing(x), weight), x), RangeError, "mine");
  assertEquals(backend.memory().bytes, bytes);
});
