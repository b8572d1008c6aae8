import { assertEquals } from "@std/assert";
import { createReference, embedding, read, tensor } from "@seqmix/seqmix";
import { embedding as kernel } from "../../src/ops/embedding/reference.ts";
import { assertSame, list, runKernel, testFailures, testOnAll, wrong } from "../helpers.ts";
import { embeddingCases } from "./cases/embedding.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("embedding()", embeddingCases);

testOnAll("embedding() accepts lists, typed arrays and tensors of ids alike", async (backend) => {
  const weight = tensor([1, 2, 3, 4, 5, 6], [3, 2], backend);
  const ids = [[2, 0], [1, 1]];
  for (const tokens of [ids, ids.map((row) => Uint16Array.from(row)), tensor(ids.flat(), [2, 2], backend)]) {
    const y = embedding(tokens, weight);
    assertEquals(y.shape, [2, 2, 2]);
    assertSame(await read(y), [5, 6, 1, 2, 3, 4, 3, 4]);
  }
});

testOnAll("embedding() allocates only its result", (backend) => {
  const weight = tensor([1, 2, 3, 4, 5, 6], [3, 2], backend);
  const { bytes } = backend.memory();
  backend.free(embedding([[2, 0], [1, 1]], weight));
  assertEquals(backend.memory().bytes, bytes);
});

Deno.test("the embedding kernel writes its output and nothing else", () => {
  const inputs = [list([2, 0, 1]).data, list([1, 2, 3, 4, 5, 6]).data];
  assertSame(runKernel(kernel, [6], inputs, [3, 3, 2])[0], [5, 6, 1, 2, 3, 4]);
});

Deno.test("the embedding kernel reads only the rows of the table", () => {
  const memory = list([9, 9, 1, 2, 3, 4, 9, 9]).data, y = new Float32Array(8);
  kernel(y, list([-1, 2, 0, 1]).data, memory.subarray(2), 4, 2, 2);
  assertSame(y, [NaN, NaN, NaN, NaN, 1, 2, 3, 4]);
});

const weight = tensor([1, 2, 3, 4, 5, 6], [3, 2]);
const ids =
  "tokens must be a tensor [B, T] or a list of B lists of T ids, B and T at least 1, current value is";
const range = "Cannot look up embedding: tokens must be integers from 0 to 2, current id is";
const elsewhere = createReference();

testFailures("embedding()", [
  [
    "weight first",
    () => embedding(wrong(weight), wrong([[0]])),
    TypeError,
    "Cannot look up embedding: arguments must be (tokens, weight), current order is (weight, tokens)",
  ],
  [
    "weight not a tensor",
    () => embedding([[0]], wrong([[1, 2]])),
    TypeError,
    "Cannot look up embedding: weight must be a tensor [V, C], current value is an array of length 1",
  ],
  [
    "weight",
    () => embedding([[0]], tensor([1, 2], [2])),
    TypeError,
    "Cannot look up embedding: weight must be [V, C], current shape is [2]",
  ],
  ["an unknown id", () => embedding([[0, 1], [2, 3]], weight), RangeError, `${range} 3 at [1, 1]`],
  ["a negative id", () => embedding([[-1]], weight), RangeError, `${range} -1 at [0, 0]`],
  ["half an id", () => embedding([[0.5]], weight), RangeError, `${range} 0.5 at [0, 0]`],
  ["a NaN", () => embedding([[NaN]], weight), RangeError, `${range} NaN at [0, 0]`],
  ["a string", () => embedding(wrong([["1"]]), weight), RangeError, `${range} "1" at [0, 0]`],
  [
    "two lengths",
    () => embedding([[0, 1], [2]], weight),
    TypeError,
    "Cannot look up embedding: tokens must have one length, current lengths are 2 and 1",
  ],
  [
    "no sequence",
    () => embedding([], weight),
    TypeError,
    `Cannot look up embedding: ${ids} an array of length 0`,
  ],
  [
    "no token",
    () => embedding([[]], weight),
    TypeError,
    `Cannot look up embedding: ${ids} [an array of length 0, ...]`,
  ],
  [
    "ids in no list",
    () => embedding(wrong([1, 2]), weight),
    TypeError,
    `Cannot look up embedding: ${ids} [1, ...]`,
  ],
  [
    "nothing",
    () => embedding(wrong(undefined), weight),
    TypeError,
    `Cannot look up embedding: ${ids} undefined`,
  ],
  [
    "a tensor that is no [B, T]",
    () => embedding(tensor([1], [1]), weight),
    TypeError,
    "Cannot look up embedding: tokens must be [B, T], current shape is [1]",
  ],
  [
    "backends",
    () => embedding(tensor([1], [1, 1], elsewhere), weight),
    TypeError,
    "Cannot look up embedding: all tensors must live on one backend (move them with put), current weight lives " +
    "on reference and tokens on another reference",
  ],
]);
