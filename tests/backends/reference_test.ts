import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  add,
  createReference,
  linear,
  read,
  readFloat64,
  reference,
  type ReferenceOptions,
  tensor,
} from "@seqmix/seqmix";
import { engineOf } from "../../src/engine.ts";
import { type Failure, testFailures, wrong } from "../helpers.ts";

Deno.test("reference is the default backend of tensors", () => {
  assertStrictEquals(tensor([1], [1]).backend, reference);
  assertEquals(reference.name, "reference");
});

Deno.test("reference can't be disposed of", async () => {
  const x = tensor([1, 2], [2]);
  const error = assertThrows(() => reference[Symbol.dispose](), TypeError);
  assertEquals(
    error.message,
    "Cannot dispose of reference: it must be a backend of one's own (createReference), current one is shared",
  );
  assertThrows(
    () => {
      using _shared = reference;
    },
    TypeError,
    "Cannot dispose of reference",
  );
  assertEquals([...await read(add(x, x))], [2, 4]);
});

Deno.test("createReference() creates a new backend each time", () => {
  using one = createReference(), other = createReference();
  assertEquals([one === other, one === reference], [false, false]);
  assertEquals([one.name, other.name], ["reference", "reference"]);
});

Deno.test("createReference() counts four bytes per number, and eight in float64", () => {
  for (const [precision, size] of [[undefined, 4], ["float32", 4], ["float64", 8]] as const) {
    using backend = createReference({ precision });
    const x = tensor(new Float32Array(10), [2, 5], backend);
    assertEquals(backend.memory(), { bytes: 10 * size, peakBytes: 10 * size });
    const empty = tensor([], [0, 5], backend);
    const cache = engineOf(backend).reserveTime(2, 6, 5);
    assertEquals(backend.memory().bytes, 70 * size);
    backend.free([x, empty, cache]);
    assertEquals(backend.memory(), { bytes: 0, peakBytes: 70 * size });
  }
});

Deno.test("createReference() stores numbers in the requested precision", async () => {
  using single = createReference(), double = createReference({ precision: "float64" });
  const third = 1 / 3;
  assertEquals([...await readFloat64(tensor([third], [1], single))], [Math.fround(third)]);
  assertEquals([...await readFloat64(tensor([third], [1], double))], [third]);
  assertEquals([...await read(tensor([third], [1], double))], [Math.fround(third)]);
});

Deno.test("createReference() sums in double precision, also in float32", async () => {
  using backend = createReference();
  const x = tensor([1e10, 1, -1e10], [1, 3], backend);
  assertEquals([...await read(linear(x, tensor([1, 1, 1], [1, 3], backend)))], [1]);
});

testFailures("createReference()", [
  ...(["float16", null, 64] as const).map((precision): Failure => [
    `precision ${precision}`,
    () => createReference({ precision: wrong(precision) } as ReferenceOptions),
    TypeError,
    `Cannot create reference: precision must be "float32" or "float64", current precision is ${
      JSON.stringify(precision)
    }`,
  ]),
]);
