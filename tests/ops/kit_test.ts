/**
 * What holds for all operations that models are built of: they compile, take key-value caches, free what they allocate,
 * and empty tensors have gradients too.
 */
import { assertEquals, assertThrows } from "@std/assert";
import {
  add,
  appendTime,
  compile,
  concat,
  divide,
  exp,
  log,
  matmul,
  mean,
  multiply,
  read,
  reshape,
  reverse,
  scale,
  slice,
  softplus,
  subtract,
  sum,
  type Tensor,
  tensor,
  transpose,
  valueAndGrad,
} from "@seqmix/seqmix";
import { vjp } from "../../src/autodiff/mod.ts";
import type { Engine } from "../../src/engine.ts";
import { assertSame, randomTensor, testOnAll } from "../helpers.ts";

/** Each operation on a sequence `[B, T, C]` and a row `[C]`. */
const calls: Readonly<Record<string, (x: Tensor, row: Tensor) => Tensor>> = {
  "add": (x) => add(x, x),
  "add, broadcast": (x, row) => add(x, row),
  "subtract, broadcast": (x, row) => subtract(row, x),
  "multiply, broadcast": (x, row) => multiply(x, row),
  "divide, broadcast": (x, row) => divide(row, x),
  "both broadcast": (x, row) => multiply(slice(x, 1, 0, 1), reshape(row, [1, -1, 1])),
  "scale": (x) => scale(x, 0.5),
  "scale by a tensor": (x, row) => scale(x, sum(row)),
  "exp": (x) => exp(x),
  "log": (x) => log(exp(x)),
  "softplus": (x) => softplus(x),
  "sum": (x) => sum(x),
  "sum of an axis": (x) => sum(x, 1),
  "mean of an axis": (x) => mean(x, -1),
  "reshape": (x) => reshape(x, [-1, 2]),
  "reshape of a result": (x, row) => reshape(add(x, row), [-1]),
  "transpose": (x) => transpose(x, [2, 0, 1]),
  "transpose of no effect": (x) => transpose(x, [0, 1, 2]),
  "slice": (x) => slice(x, 1, -1),
  "slice of everything": (x) => slice(x, 1, 0),
  "slice and pad": (x) => multiply(slice(x, 2, 1, 3), slice(x, 2, 0, 2)),
  "reverse": (x) => reverse(x, 1),
  "concat": (x) => concat([x, reverse(x, 0), x], 1),
  "concat of one": (x) => concat([x], -1),
  "matmul": (x) => matmul(x, transpose(x, [0, 2, 1])),
  "matmul of one": (x, row) => matmul(x, reshape(row, [-1, 1])),
};

const [batch, channels] = [2, 4];

/** The same sequence as a cache with room, and by itself. */
function sequences(backend: Engine, time: number): [cache: Tensor, packed: Tensor] {
  const x = randomTensor(time, [batch, time, channels], backend);
  return [appendTime(backend.reserveTime(batch, time + 3, channels), x), x];
}

testOnAll("every operation takes key-value caches, and frees what it allocates", async (backend) => {
  const row = randomTensor(1, [channels], backend), [cache, packed] = sequences(backend, 5);
  for (const [name, call] of Object.entries(calls)) {
    const expected = backend.scope(() => call(packed, row)), { bytes } = backend.memory();
    const y = backend.scope(() => call(cache, row));
    assertEquals(y.shape, expected.shape, name);
    assertSame(await read(y), await read(expected), name);
    backend.free(y);
    assertEquals(backend.memory().bytes, bytes, name);
    backend.free(expected);
  }
});

testOnAll("operations outside of scopes leave their results alone", (backend) => {
  const x = randomTensor(1, [2, 3, 4], backend), row = randomTensor(2, [4], backend);
  const column = randomTensor(3, [3, 1], backend), left = randomTensor(4, [2, 1, 3, 4], backend);
  const right = randomTensor(5, [5, 4, 3], backend), { bytes } = backend.memory();
  const results: Readonly<Record<string, () => Tensor>> = {
    add: () => add(x, row),
    multiply: () => multiply(row, column),
    divide: () => divide(x, column),
    sum: () => sum(x, 1),
    transpose: () => transpose(x, [2, 1, 0]),
    reverse: () => reverse(x, 1),
    slice: () => slice(x, 1, 0, 2),
    concat: () => concat([x, x], 0),
    reshape: () => reshape(x, [24]),
    matmul: () => matmul(left, right),
  };
  for (const [name, run] of Object.entries(results)) {
    backend.free(run());
    assertEquals(backend.memory().bytes, bytes, name);
  }
});

testOnAll(
  "every operation and its gradient compile to the same bits, at any length of a cache",
  async (backend) => {
    const row = randomTensor(1, [channels], backend);
    for (const [name, call] of Object.entries(calls)) {
      using compiled = compile(call);
      const gradient = (x: Tensor, row: Tensor) =>
        valueAndGrad(([x, row]) => {
          const y = call(x, row);
          return sum(multiply(y, y));
        }, [x, row]);
      using compiledGradient = compile(gradient);
      for (const time of [1, 2, 4, 2]) {
        const [cache, packed] = sequences(backend, time), pairs: [Tensor, Tensor][] = [];
        for (const x of [cache, packed]) {
          pairs.push([compiled(x, row), backend.scope(() => call(x, row))]);
        }
        const found = compiledGradient(packed, row), wanted = backend.scope(() => gradient(packed, row));
        pairs.push(
          [found.value, wanted.value],
          ...found.grads.map((grad, i): [Tensor, Tensor] => [grad, wanted.grads[i]]),
        );
        const numbers = await Promise.all(pairs.map((pair) => Promise.all(pair.map((t) => read(t)))));
        for (const [i, [y, expected]] of pairs.entries()) {
          assertEquals(y.shape, expected.shape, name);
          assertSame(numbers[i][0], numbers[i][1], `result ${i} of ${name} of ${time}`);
        }
        backend.free([pairs, cache, packed]);
      }
    }
  },
);

testOnAll("gradients free everything but themselves", (backend) => {
  const x = randomTensor(1, [2, 3, 4], backend), row = randomTensor(2, [4], backend);
  const { bytes } = backend.memory();
  for (const [name, call] of Object.entries(calls)) {
    const { value, grads } = valueAndGrad(([x, row]) => sum(call(x, row)), [x, row]);
    backend.free([value, grads]);
    assertEquals(backend.memory().bytes, bytes, name);
  }
});

testOnAll("empty tensors have results and gradients", async (backend) => {
  const empty = (...shape: number[]) => tensor([], shape, backend);
  const x = tensor([1, 2], [1, 2], backend);
  const results: readonly (readonly [Tensor[], (xs: readonly Tensor[]) => Tensor, readonly number[]])[] = [
    [[empty(0, 2), x], ([a, b]) => add(a, b), [0, 2]],
    [[empty(0, 2), x], ([a, b]) => divide(b, a), [0, 2]],
    [[empty(0, 2)], ([a]) => sum(a, 0), [2]],
    [[empty(0, 2)], ([a]) => sum(a), []],
    [[empty(0, 2)], ([a]) => mean(a, 1), [0]],
    [[empty(0, 2)], ([a]) => reshape(a, [3, 0]), [3, 0]],
    [[empty(0, 2)], ([a]) => transpose(a, [1, 0]), [2, 0]],
    [[empty(0, 2)], ([a]) => reverse(a, 0), [0, 2]],
    [[empty(0, 2)], ([a]) => exp(scale(a, 2)), [0, 2]],
    [[x], ([a]) => slice(a, 0, 1), [0, 2]],
    [[empty(0, 2), x, empty(0, 2)], (xs) => concat(xs, 0), [1, 2]],
    [[empty(0, 2), tensor([1, 2, 3, 4], [2, 2], backend)], ([a, b]) => matmul(a, b), [0, 2]],
    [[empty(3, 0), empty(0, 2)], ([a, b]) => matmul(a, b), [3, 2]],
    [[empty(0, 3, 1), tensor([1, 2], [1, 2], backend)], ([a, b]) => matmul(a, b), [0, 3, 2]],
  ];
  for (const [inputs, run, shape] of results) {
    const y = run(inputs), size = shape.reduce((product, size) => product * size, 1);
    assertEquals(y.shape, shape);
    const numbers = await read(y);
    assertEquals(numbers.length, size);
    if (shape.length === 0 || shape.join() === "3,2") assertSame(numbers, new Float32Array(size));
    const { grads } = vjp((xs: readonly Tensor[]) => [run(xs)], inputs, [
      tensor(new Float32Array(size).fill(1), shape, backend),
    ]);
    for (const [i, grad] of grads.entries()) {
      assertEquals(grad.shape, inputs[i].shape);
      if (size === 0) {
        assertSame(await read(grad), new Float32Array(inputs[i] === x ? 2 : (await read(grad)).length));
      }
    }
  }
});

testOnAll("broadcasting that fails leaves nothing behind", (backend) => {
  const x = randomTensor(1, [2, 3], backend), freed = tensor([1], [1], backend);
  backend.free(freed);
  const { bytes } = backend.memory();
  assertThrows(() => add(x, freed), TypeError, "must be alive");
  assertThrows(() => matmul(x, freed), TypeError);
  assertEquals(backend.memory().bytes, bytes);
});
