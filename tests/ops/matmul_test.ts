import { assertEquals } from "@std/assert";
import { createReference, linear, matmul, read, tensor, transpose } from "@seqmix/seqmix";
import fc from "fast-check";
import { matmul as kernel } from "../../src/ops/matmul/reference.ts";
import {
  assertNear,
  assertSame,
  list,
  randomTensor,
  runKernel,
  testFailures,
  testOnAll,
  wrong,
} from "../helpers.ts";
import { matmulCases } from "./cases/matmul.ts";
import { broadcastAt, broadcastShapes, plain, tensorsOf } from "./plain.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("matmul()", matmulCases);

testOnAll("matmul() is plain loops, with batches that are broadcast", async (backend) => {
  const size = fc.nat(4);
  const pairs = fc.tuple(broadcastShapes, size, size, size).chain(([{ a, b, shape }, m, k, n]) =>
    fc.tuple(tensorsOf([...a, m, k]), tensorsOf([...b, k, n]), fc.constant([...shape, m, n]))
  );
  const property = fc.asyncProperty(pairs, async ([a, b, shape]) => {
    const inner = b.shape[b.shape.length - 2];
    const wanted = plain(shape, (index) => {
      const batch = index.slice(0, -2), [row, column] = index.slice(-2);
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        // A matrix of one row or column is not broadcast: the index is 0 anyway.
        sum += broadcastAt(a, [...batch, row, k]) * broadcastAt(b, [...batch, k, column]);
      }
      return sum;
    });
    const [left, right] = [a, b].map(({ data, shape }) => tensor(data, shape, backend)),
      y = matmul(left, right);
    assertEquals(y.shape, shape);
    assertSame(await read(y), wanted.data);
    backend.free([left, right, y]);
  });
  await fc.assert(property, { numRuns: 60, seed: 1 });
});

testOnAll("matmul() is linear() of transposed weights", async (backend) => {
  for (const rows of [1, 2, 17, 65]) {
    const x = randomTensor(1, [rows, 37], backend), weight = randomTensor(2, [67, 37], backend);
    assertNear(
      await read(matmul(x, transpose(weight, [1, 0]))),
      await read(linear(x, weight)),
      1e-5,
      `${rows} rows`,
    );
  }
});

testOnAll("matmul() mends sums of more terms than a dispatch does, in batches too", async (backend) => {
  const inner = 3001, row = Float32Array.from({ length: inner }, (_, i) => i % 2 === 0 ? 3e38 : -3e38);
  const ones = tensor(new Float32Array(2 * inner).fill(1), [2, inner, 1], backend);
  const a = tensor([...row, ...row.map((x) => -x)], [2, 1, inner], backend);
  assertSame(await read(matmul(a, ones)), [Math.fround(3e38), -Math.fround(3e38)]);
});

Deno.test("the matmul kernel writes its output and nothing else", () => {
  const a = list([1, 2, 3, 4, 5, 6]).data, b = list([1, 2, 3, 4]).data;
  assertSame(runKernel(kernel, [6], [a, b], [1, 3, 2, 2, 0, 0, 0])[0], [7, 10, 15, 22, 23, 34]);
  assertSame(runKernel(kernel, [6], [a, b], [1, 3, 2, 2, 0, 0, 1])[0], [5, 11, 11, 25, 17, 39]);
  assertSame(runKernel(kernel, [6], [a, b], [1, 3, 2, 2, 0, 0, 2])[0], [13, 18, 17, 24, 21, 30]);
  assertSame(runKernel(kernel, [2], [a, b], [2, 1, 2, 1, 2, 0, 0])[0], [5, 11]);
});

const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]), vector = tensor([1, 2, 3], [3]);
const elsewhere = createReference(), moved = tensor([1, 2, 3], [3, 1], elsewhere);
const freed = tensor([1, 2, 3], [3, 1]);
freed.backend.free(freed);

testFailures("matmul()", [
  [
    "a not a tensor",
    () => matmul(wrong(1), x),
    TypeError,
    "Cannot multiply matrices: a must be a tensor [..., M, K], current value is 1",
  ],
  [
    "a",
    () => matmul(vector, x),
    TypeError,
    "Cannot multiply matrices: a must be [..., M, K], current shape is [3]",
  ],
  [
    "b not a tensor",
    () => matmul(x, wrong(null)),
    TypeError,
    "Cannot multiply matrices: b must be a tensor [..., 3, N], current value is null",
  ],
  [
    "b",
    () => matmul(x, x),
    TypeError,
    "Cannot multiply matrices: b must be [..., 3, N], current shape is [2, 3]",
  ],
  [
    "vector",
    () => matmul(x, vector),
    TypeError,
    "Cannot multiply matrices: b must be [..., 3, N], current shape is [3]",
  ],
  [
    "batches",
    () => matmul(tensor([1, 2], [2, 1, 1]), tensor([1, 2, 3], [3, 1, 1])),
    TypeError,
    "Cannot multiply matrices: the sizes of a and b before the matrices must be equal or 1, from the last on, current " +
    "shapes are [2, 1, 1] and [3, 1, 1]",
  ],
  [
    "backends",
    () => matmul(x, moved),
    TypeError,
    "Cannot multiply matrices: all tensors must live on one backend (move them with put), current a lives on reference " +
    "and b on another reference",
  ],
  [
    "freed",
    () => matmul(x, freed),
    TypeError,
    "Cannot multiply matrices: tensor must be alive, current tensor of shape [3, 1] on reference was freed",
  ],
]);
