import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  appendTime,
  createReference,
  createWasm,
  put,
  read,
  readFloat64,
  reference,
  tensor,
} from "@seqmix/seqmix";
import { assertSame, testFailures, testOnAll, wrong } from "./helpers.ts";

testOnAll("tensor() copies its numbers and its shape", async (backend) => {
  const data = [1, 2, 3, 4, 5, 6], shape = [2, 3];
  const t = tensor(data, shape, backend);
  data.fill(0);
  shape.reverse();
  assertEquals(t.shape, [2, 3]);
  assertStrictEquals(t.backend, backend);
  assertSame(await read(t), [1, 2, 3, 4, 5, 6]);
});

testOnAll("tensor() keeps every float32 number", async (backend) => {
  const odd = [0, -0, NaN, Infinity, -Infinity, 1e-38, 3.4e38, 1e-45, 16777217].map(Math.fround);
  assertSame(await read(tensor(odd, [odd.length], backend)), odd);
  assertSame(await read(tensor([0.1], [1], backend)), [Math.fround(0.1)]);
});

testOnAll("tensor() accepts every kind of list of numbers, a single number and none", async (backend) => {
  for (const data of [[1, 2], Float64Array.of(1, 2), Uint8Array.of(1, 2), { length: 2, 0: 1, 1: 2 }]) {
    assertSame(await read(tensor(data, [2], backend)), [1, 2]);
  }
  assertSame(await read(tensor([7], [], backend)), [7]);
  assertSame(await read(tensor([], [2, 0, 3], backend)), []);
});

testOnAll("read() and readFloat64() return copies", async (backend) => {
  const t = tensor([1, 2], [2], backend);
  (await read(t)).fill(9);
  (await readFloat64(t)).fill(9);
  const single = await read(t), double = await readFloat64(t);
  assertEquals([single.constructor, double.constructor], [Float32Array, Float64Array]);
  assertSame(single, [1, 2]);
  assertSame(double, [1, 2]);
});

Deno.test("readFloat64() is exact on a float64 reference", async () => {
  using backend = createReference({ precision: "float64" });
  assertSame(await readFloat64(tensor([0.1, 1e300], [2], backend)), [0.1, 1e300]);
});

Deno.test("tensor() lives on the shared reference by default", () => {
  assertStrictEquals(tensor([1], [1]).backend, reference);
});

testOnAll("put() moves the tensors of a tree and does not change the given tree", async (backend) => {
  const tree = { heads: 2, blocks: [{ weight: tensor([1, 2], [1, 2]) }, null] as const };
  const moved = await put(tree, backend);
  assertEquals(moved.heads, 2);
  assertEquals(moved.blocks[1], null);
  assertEquals(moved.blocks[0].weight.shape, [1, 2]);
  assertStrictEquals(moved.blocks[0].weight.backend, backend);
  assertStrictEquals(tree.blocks[0].weight.backend, reference);
  assertSame(await read(moved.blocks[0].weight), [1, 2]);
  assertSame(await read(tree.blocks[0].weight), [1, 2]);
  assertSame(await read((await put(moved, reference)).blocks[0].weight), [1, 2], "there and back");
});

testOnAll("put() copies no tensor that already lives there", async (backend) => {
  const t = tensor([1], [1], backend);
  const { bytes } = backend.memory();
  assertStrictEquals((await put([t], backend))[0], t);
  assertEquals(backend.memory().bytes, bytes);
});

testOnAll("put() copies a cache with gaps correctly", async (backend) => {
  const cache = appendTime(tensor([1, 2], [2, 1, 1], backend), tensor([3, 4], [2, 1, 1], backend));
  assertSame(await read(await put(cache, reference)), [1, 3, 2, 4]);
});

Deno.test("put() leaves nothing allocated if there is no memory for the whole tree", async () => {
  using backend = await createWasm({ maximumBytes: 2 ** 20 });
  const [half, other] = [1, 2].map(() => tensor(new Float32Array(2 ** 17), [2 ** 17]));
  await assertRejects(() => put({ a: half, b: other }, backend), RangeError, "Cannot allocate tensor: ");
  assertEquals(backend.memory().bytes, 0);
  assertEquals((await put(half, backend)).shape, half.shape);
});

const freed = tensor([1], [1]);
freed.backend.free(freed);
const elsewhere = createReference();
const dead = "Cannot read: tensor must be alive, current tensor of shape [1] on reference was freed";
const disposed = (() => {
  using backend = createReference();
  return { backend, t: tensor([1], [1], backend) };
})();
const gone =
  "Cannot read: tensor must be alive, current tensor of shape [1] on reference was disposed of with its backend";

testFailures("tensor()", [
  [
    "too few numbers",
    () => tensor([1, 2], [3]),
    TypeError,
    "Cannot create tensor: data must hold 3 numbers for shape [3], current length is 2",
  ],
  [
    "too many numbers",
    () => tensor([1, 2], []),
    TypeError,
    "Cannot create tensor: data must hold 1 numbers for shape [], current length is 2",
  ],
  [
    "no data",
    () => tensor(wrong(undefined), [1]),
    TypeError,
    "Cannot create tensor: data must hold 1 numbers for shape [1], current value is undefined",
  ],
  [
    "a string",
    () => tensor(wrong("1"), [1]),
    TypeError,
    "Cannot create tensor: data must hold 1 numbers for shape [1], current length is 1",
  ],
  [
    "a hole",
    () => tensor([1, wrong(undefined)], [2]),
    TypeError,
    "Cannot create tensor: data must be numbers, current data[1] is undefined",
  ],
  [
    "lists in a list",
    () => tensor(wrong([[1, 2]]), [1]),
    TypeError,
    "Cannot create tensor: data must be numbers, current data[0] is an array of length 2",
  ],
  [
    "no shape",
    () => tensor([1], wrong(undefined)),
    TypeError,
    "Cannot create tensor: shape must be a list of sizes, current value is undefined",
  ],
  [
    "a negative size",
    () => tensor([1], [1, -1]),
    RangeError,
    "Cannot create tensor: shape[1] must be an integer at least 0, current value is -1",
  ],
  [
    "half a size",
    () => tensor([1], [0.5]),
    RangeError,
    "Cannot create tensor: shape[0] must be an integer at least 0, current value is 0.5",
  ],
  [
    "a size no number",
    () => tensor([1], wrong(["1"])),
    TypeError,
    'Cannot create tensor: shape[0] must be a number, current value is "1"',
  ],
  [
    "a backend not awaited",
    () => tensor([1], [1], wrong(Promise.resolve(elsewhere))),
    TypeError,
    "Cannot create tensor: backend must be a backend (await the promise of one), current value is a promise",
  ],
  [
    "a backend disposed of",
    () => tensor([1], [1], disposed.backend),
    TypeError,
    "Cannot make tensor: backend must be open, current reference is disposed",
  ],
]);

testFailures("read()", [
  [
    "not a tensor",
    () => read(wrong(3)),
    TypeError,
    "Cannot read: value must be a tensor, current value is 3",
  ],
  ["freed", () => read(freed), TypeError, dead],
  ["disposed of", () => read(disposed.t), TypeError, gone],
]);

testFailures("readFloat64()", [
  [
    "not a tensor",
    () => readFloat64(wrong(undefined)),
    TypeError,
    "Cannot read: value must be a tensor, current value is undefined",
  ],
  ["freed", () => readFloat64(freed), TypeError, dead],
]);

testFailures("put()", [
  ["freed", () => put({ a: [freed] }, elsewhere), TypeError, dead],
  [
    "no backend",
    () => put({}, wrong(undefined)),
    TypeError,
    "Cannot put: backend must be a backend (await the promise of one), current value is undefined",
  ],
  [
    "to a backend disposed of",
    () => put(tensor([1], [1]), disposed.backend),
    TypeError,
    "Cannot make tensor: backend must be open, current reference is disposed",
  ],
]);

testFailures("createReference()", [
  [
    "precision",
    () => createReference({ precision: wrong("float16") }),
    TypeError,
    'Cannot create reference: precision must be "float32" or "float64", current precision is "float16"',
  ],
]);

testFailures("reference", [
  [
    "disposed of",
    () => reference[Symbol.dispose](),
    TypeError,
    "Cannot dispose of reference: it must be a backend of one's own (createReference), current one is shared",
  ],
  [
    "freeing another's tensor",
    () => reference.free(tensor([1], [1], elsewhere)),
    TypeError,
    "Cannot use tensor: it must live on this reference backend, current value is a tensor of shape [1] of another " +
    "reference",
  ],
]);
