import { assertEquals } from "@std/assert";
import { clipByGlobalNorm, read, squaredNorm, tensor } from "@seqmix/seqmix";
import { assertNear, assertSame, testFailures, testOnAll } from "../helpers.ts";

testOnAll("clipByGlobalNorm() scales down what is above the bound, and nothing else", async (backend) => {
  const grads = { a: tensor([3, 0], [2], backend), rest: [tensor([-4], [1, 1], backend)], heads: 2 };
  const held = backend.memory().bytes;
  const above = clipByGlobalNorm(grads, 2), below = clipByGlobalNorm(grads, 6);
  assertNear(await read(above.a), [3 * 0.4, 0], 1e-6);
  assertNear(await read(above.rest[0]), [-4 * 0.4], 1e-6);
  assertSame(await read(below.a), [3, 0]);
  assertSame(await read(below.rest[0]), [-4]);
  assertEquals(above.heads, 2);
  assertSame(await read(grads.a), [3, 0]);
  backend.free([above, below]);
  assertEquals(backend.memory().bytes, held);
});

testOnAll("squaredNorm() adds up the squares of a tree's tensors", async (backend) => {
  const many = new Float32Array(70_001).fill(2);
  const square = squaredNorm([tensor(many, [many.length], backend), { b: tensor([3], [], backend) }]);
  assertEquals(square.shape, []);
  assertNear(await read(square), [4 * many.length + 9], 1e-6);
});

testOnAll("clipByGlobalNorm() makes all gradients NaN where one is", async (backend) => {
  const { a, b } = clipByGlobalNorm({ a: tensor([1], [1], backend), b: tensor([NaN], [1], backend) }, 1);
  assertSame(await read(a), [NaN]);
  assertSame(await read(b), [NaN]);
});

testFailures("clipByGlobalNorm()", [
  [
    "no bound",
    () => clipByGlobalNorm({ a: tensor([1], [1]) }, 0),
    RangeError,
    "Cannot clip gradients: maxNorm must be a number above 0, current maxNorm is 0",
  ],
  [
    "no tensor",
    () => clipByGlobalNorm({}, 1),
    TypeError,
    "Cannot clip gradients: grads must hold tensors, current value is an object (Object)",
  ],
]);
