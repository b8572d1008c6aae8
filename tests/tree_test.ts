import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  add,
  parameterCount,
  read,
  reference,
  sliceState,
  stackStates,
  tensor,
  treeMap,
} from "@seqmix/seqmix";
import { forEachTensor, sizeOf, tensorsOf } from "../src/tree.ts";
import { assertSame, type Failure, randomTensor, testFailures } from "./helpers.ts";

class Own {
  readonly inside = tensor([1], [1]);
}

Deno.test("treeMap() replaces the tensors, and nothing else, in the same form", async () => {
  const own = new Own(), config = { heads: 2, name: "x", rate: NaN, none: null, absent: undefined, own };
  const tree = { config, blocks: [{ a: tensor([1, 2], [2]) }, [tensor([3], [])]] as const };
  const mapped = treeMap(tree, (t) => add(t, t));
  assertEquals(mapped.config, config);
  assertStrictEquals(mapped.config.own, own, "an object with a class of its own is no branch");
  assertEquals(Object.keys(mapped), ["config", "blocks"]);
  assertEquals(Array.isArray(mapped.blocks), true);
  assertSame(await read(mapped.blocks[0].a), [2, 4]);
  assertSame(await read(mapped.blocks[1][0]), [6]);
  assertSame(await read(tree.blocks[0].a), [1, 2], "the tree that was given");
});

Deno.test("treeMap() accepts a single tensor, and values that are not trees", async () => {
  assertSame(await read(treeMap(tensor([1], [1]), (t) => add(t, t))), [2]);
  for (const leaf of [3, "x", null, undefined]) assertStrictEquals(treeMap(leaf, (t) => t), leaf);
  assertEquals(treeMap([], (t) => t), []);
});

Deno.test("treeMap() treats names such as __proto__ like any other", async () => {
  const tree = JSON.parse('{"__proto__": {"constructor": 1}, "toString": 2}');
  tree.__proto__.weight = tensor([1], [1]);
  const mapped = treeMap(tree, (t) => add(t, t));
  assertEquals(Object.keys(mapped), ["__proto__", "toString"]);
  assertStrictEquals(Object.getPrototypeOf(mapped), Object.prototype);
  assertSame(await read(Object.entries<{ weight: typeof tree }>(mapped)[0][1].weight), [2]);
});

Deno.test("forEachTensor() and tensorsOf() walk depth first, in the order of the keys", () => {
  const [a, b, c, d] = [1, 2, 3, 4].map((seed) => randomTensor(seed, [1]));
  const tree = { z: a, list: [b, { deep: c, own: new Own() }], a: d };
  assertEquals(tensorsOf(tree).map((t) => [a, b, c, d].indexOf(t)), [0, 1, 2, 3]);
  const seen: unknown[] = [];
  forEachTensor(tree, (t) => seen.push(t));
  assertEquals(seen.length, 4);
  assertEquals(tensorsOf(null), []);
});

Deno.test("parameterCount() sums the sizes", () => {
  const tree = {
    a: randomTensor(1, [2, 3]),
    b: [randomTensor(2, []), randomTensor(3, [0, 5]), 7],
    heads: 100,
  };
  assertEquals(parameterCount(tree), 7);
  assertEquals(parameterCount(undefined), 0);
});

Deno.test("sizeOf() is the product of the sizes", () => {
  assertEquals([[], [0], [3], [2, 3, 4], [5, 0]].map(sizeOf), [1, 0, 3, 24, 0]);
});

const promise = Promise.resolve({ a: tensor([1], [1, 1]) });

testFailures(
  "a promise of a tree",
  [
    ["treeMap()", () => treeMap(promise, (t) => t), TypeError, "Cannot map tree: tree"],
    ["parameterCount()", () => parameterCount(promise), TypeError, "Cannot count parameters: params"],
    ["stackStates()", () => stackStates([{}, promise]), TypeError, "Cannot stack states: states[1]"],
    ["sliceState()", () => sliceState(promise, 0), TypeError, "Cannot slice state: state"],
    ["free()", () => reference.free(promise), TypeError, "Cannot free: tree"],
  ].map(([name, run, type, start]) =>
    [name, run, type, `${start} must hold tensors (await it), current value is a promise`] as Failure
  ),
);
