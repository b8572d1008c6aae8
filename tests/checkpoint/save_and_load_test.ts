import { Buffer } from "node:buffer";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Backend,
  createReference,
  loadTree,
  presets,
  put,
  readFloat64,
  reference,
  rwkv,
  saveTree,
  stackStates,
  type Tensor,
  tensor,
  transformer,
  treeMap,
} from "@seqmix/seqmix";
import { engineOf } from "../../src/engine.ts";
import { tensorsOf } from "../../src/tree.ts";
import { assertSame, testFailures, testOnAll, wrong } from "../helpers.ts";
import { describe, fileOf, fixture, headerOf, numbersAt } from "./files.ts";

/** The tree of saved.safetensors. */
function savedTree(float64: Backend) {
  return {
    name: 'a "name"\n',
    layers: [
      { heads: 2, weight: tensor([1, -2, 0.1], [1, 3]), "é": tensor([3], []) },
      { weight: tensor([4, Infinity], [2, 1]), rotaryBase: undefined },
    ],
    exact: tensor([1 / 3], [1], float64),
  };
}

function assertRoundTrip(tree: unknown): void {
  assertEquals(describe(loadTree(saveTree(tree)).tree), describe(tree));
}

Deno.test("saveTree() writes the same bytes as the official library", () => {
  using float64 = createReference({ precision: "float64" });
  assertEquals(saveTree(savedTree(float64)), fixture("saved"));
  assertEquals(saveTree(savedTree(float64)), fixture("saved"));
});

Deno.test("loadTree() restores what the official library wrote", () => {
  using float64 = createReference({ precision: "float64" });
  const { tree } = loadTree(fixture("saved"), float64);
  const onFloat64 = treeMap(
    savedTree(float64),
    (t) => tensor(engineOf(t.backend).download(t) as Float32Array, t.shape, float64),
  );
  assertEquals(describe(tree), describe(onFloat64));
});

Deno.test("loadTree() reads F64, F32, F16 and BF16 as PyTorch does", async () => {
  using float64 = createReference({ precision: "float64" });
  const { tree, metadata } = loadTree(fixture("dtypes"), float64);
  const { double } = tree as { double: Tensor };
  assertEquals(metadata, { format: "pt" });
  assertSame(await readFloat64(double), [1 / 3, 1e300]);
  for (const name of ["half", "brain"]) {
    assertEquals((await numbersAt(tree, name, "wide")).length, 28);
    assertSame(await numbersAt(tree, name, "narrow"), await numbersAt(tree, name, "wide"), name);
  }
  assertEquals((tree as { empty: Tensor }).empty.shape, [2, 0, 3]);
  assertSame(await numbersAt(tree, "scalar"), [2.5]);
  assertSame(await numbersAt(loadTree(fixture("dtypes")).tree, "double"), [Math.fround(1 / 3), Infinity]);
});

testOnAll(
  "loadTree() creates tensors on any backend, and saveTree() takes them from host memory",
  async (backend) => {
    const bytes = saveTree({ a: [tensor([1, NaN], [2])], b: tensor([], [0, 3]), c: tensor([-0], []) });
    const { tree } = loadTree(bytes, backend);
    assertEquals(tensorsOf(tree).map((t) => t.backend === backend), [true, true, true]);
    assertSame(await numbersAt(tree, "a", 0), [1, NaN]);
    assertEquals(saveTree(await put(tree, reference)), bytes);
    if (backend.name !== "webgpu") assertEquals(saveTree(tree), bytes);
  },
);

Deno.test("loadTree() restores parameters, states and moments", async (t) => {
  const params = rwkv.init(presets.matched.rwkv, 1);
  const moments = { step: 3, first: params, second: treeMap(params, (p) => p) };
  const { state } = rwkv.forward(params, [[1, 2, 3]], rwkv.initialState(params));
  const attention = transformer.init(presets.matched.transformer, 1);
  const trees = { params, moments, state, sessions: stackStates([state, state]), attention };
  for (const [name, tree] of Object.entries(trees)) await t.step(name, () => assertRoundTrip(tree));
});

Deno.test("loadTree() restores an attention state whose cache has free capacity", () => {
  const params = transformer.init(presets.matched.transformer, 1);
  const tokens = [[1, 2, 3], [4, 5, 6]];
  assertRoundTrip(transformer.forward(params, tokens, transformer.initialState(params, 2)).state);
});

Deno.test("loadTree() restores values that are not tensors", async (t) => {
  const x = tensor([1], [1]);
  const trees: Record<string, unknown> = {
    numbers: [0, -0, 1.5, -1e-300, 2 ** 53, NaN, Infinity, -Infinity],
    "other leaves": { yes: true, no: false, none: null, missing: undefined, text: "é\u2028\ud800\n" },
    "empty branches": { list: [], object: {}, nested: [[], {}] },
    "no tensor": 4,
    "a tensor alone": x,
    "keys in an order": { z: 1, a: x, m: { y: x, b: x } },
    "keys with dots": { "a.b": x, a: { b: x, "": x }, "": x, ".": x },
    "an object with keys of an array": { 0: x, 1: x },
    "names that mean something elsewhere": JSON.parse('{"__proto__":{"a":1},"constructor":2,"toString":[]}'),
    "a tensor named __proto__": Object.fromEntries([["__proto__", x], ["__metadata__", x]]),
    "names that mean something here": { $tensor: "a", $: 1, $$value: { $value: "NaN" }, "seqmix.tree": x },
    "half a surrogate pair": Object.fromEntries(["\ud800", "\udc00", "\ufffd"].map((key) => [key, x])),
    "32 branches": Array.from({ length: 32 }).reduce((tree) => [tree], x),
  };
  for (const [name, tree] of Object.entries(trees)) await t.step(name, () => assertRoundTrip(tree));
});

Deno.test("loadTree() changes no prototype", () => {
  const { tree } = loadTree(
    fileOf('{"__proto__.polluted":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', [0, 0, 0, 0]),
  );
  assertEquals(Object.getPrototypeOf(tree), Object.prototype);
  assertEquals(Object.keys(tree as object), ["__proto__"]);
  assert(!("polluted" in {}));
});

Deno.test("saveTree() keeps every bit of a NaN", () => {
  const bits = new Uint32Array([0x7fc00000, 0xffc12345]);
  const values = new Float32Array(bits.buffer);
  assertEquals(saveTree(tensor(values, [2])).slice(-8), new Uint8Array(bits.buffer));
});

Deno.test("saveTree() names tensors by their paths, each once", () => {
  const x = () => tensor([1], [1]);
  const names = (tree: unknown) =>
    Object.keys(JSON.parse(headerOf(saveTree(tree)))).filter((name) => name !== "__metadata__");
  assertEquals(names({ blocks: [{ timeMix: { key: x() } }, { key: x() }] }), [
    "blocks.0.timeMix.key",
    "blocks.1.key",
  ]);
  assertEquals(names({ "a.b": x(), a: { b: x() } }), ["a.b", "a.b#2"]);
  const halves = Object.fromEntries(["\ud800", "\udc00"].map((key) => [key, x()]));
  assertEquals(names(halves), ["\ufffd", "\ufffd#2"]);
  assertEquals(names({ "": x(), __metadata__: x() }), ["__metadata__#2", "tensor"]);
});

Deno.test("saveTree() aligns wide numbers, whatever the names", () => {
  using float64 = createReference({ precision: "float64" });
  for (let length = 0; length < 8; length++) {
    const bytes = saveTree({ a: tensor([1], [1]), ["z".repeat(length + 1)]: tensor([2], [1], float64) });
    const header = headerOf(bytes);
    assertEquals(header.length % 8, 0);
    assertEquals(JSON.parse(header)["z".repeat(length + 1)].data_offsets, [0, 8]);
  }
});

Deno.test("saveTree() stores metadata next to the tree's form", () => {
  const metadata = { task: "motifs", "": 'é"\u2028', ...JSON.parse('{"__proto__":"text"}') };
  const loaded = loadTree(saveTree([1], metadata));
  assertEquals(loaded.metadata, metadata);
  assertEquals(describe(loaded.metadata), describe(metadata));
});

Deno.test("loadTree() takes the names in a file from elsewhere for paths", async (t) => {
  const cases: readonly [names: readonly string[], tree: string][] = [
    [[], "{}"],
    [["blocks.1.key", "blocks.0.key", "emb"], "{blocks:[{key:1},{key:0}],emb:2}"],
    [["b.0", "b.2"], "{b:{0:0,2:1}}"],
    [["b.00", "b.1"], "{b:{1:1,00:0}}"],
    [["b.0", "b.x"], "{b:{0:0,x:1}}"],
    [Array.from({ length: 11 }, (_, i) => String(10 - i)), "[10,9,8,7,6,5,4,3,2,1,0]"],
    [["", "a..b", "a.c"], "{:0,a:{:{b:1},c:2}}"],
    [["__proto__.x", "constructor", "__proto__.__proto__"], "{__proto__:{x:0,__proto__:2},constructor:1}"],
  ];
  for (const [names, text] of cases) {
    const header = Object.fromEntries(
      names.map((name, i) => [name, { dtype: "F32", shape: [], data_offsets: [4 * i, 4 * i + 4] }]),
    );
    const data = new Uint8Array(Float32Array.from(names, (_, i) => i).buffer);
    await t.step(names.join(" ") || "none", () => {
      assertEquals(showNumbers(loadTree(fileOf(header, data)).tree), text);
    });
  }
});

function showNumbers(tree: unknown): string {
  return describe(tree).replaceAll(
    /Float32Array\[\]\((\w+)\)/g,
    (_, hex) => String(new Float32Array(Uint8Array.fromHex(hex).buffer)[0]),
  ).replaceAll('"', "");
}

Deno.test("loadTree() copies the bytes, at any alignment", async () => {
  const bytes = saveTree({ a: tensor([1, 2], [2]) });
  for (const [name, offset] of [["aligned", 0], ["not aligned", 3]] as const) {
    const shifted = new Uint8Array(bytes.length + offset);
    // slice() of a Buffer is a view.
    for (const view of [shifted.subarray(offset), Buffer.from(shifted.buffer, offset)]) {
      view.set(bytes);
      const { tree } = loadTree(view);
      shifted.fill(0);
      assertSame(await numbersAt(tree, "a"), [1, 2], name);
    }
  }
});

Deno.test("loadTree() frees all tensors if one can't be created", () => {
  using backend = engineOf(createReference());
  const upload = backend.upload.bind(backend);
  let uploads = 0;
  backend.upload = (data, shape) => {
    if (uploads++ === 2) throw new RangeError("out of memory");
    return upload(data, shape);
  };
  const bytes = saveTree([1, 2, 3, 4].map((n) => tensor([n], [1])));
  assertThrows(() => loadTree(bytes, backend), RangeError, "out of memory");
  assertEquals(backend.memory(), { bytes: 0, peakBytes: 8 });
});

Deno.test("saveTree() changes nothing and frees nothing", () => {
  using backend = createReference();
  const tree = Object.freeze({ a: tensor([1, 2], [2], backend), b: Object.freeze([1, { c: 2 }]) });
  const before = describe(tree);
  saveTree(tree);
  assertEquals(describe(tree), before);
  assertEquals(backend.memory().bytes, 8);
});

/** A tensor as on an asynchronous device. */
function later(): Tensor {
  const download = () => Promise.reject(new Error("device lost"));
  return { shape: [1], backend: { name: "webgpu", download } as unknown as Backend };
}

class Config {}
const cycle: unknown[] = [];
cycle.push({ inner: cycle });
const hole = [1];
hole[2] = 3;
const deep = Array.from({ length: 33 }).reduce((tree) => [tree], 1);
const freed = tensor([1], [1]);
freed.backend.free(freed);
const kinds = "must be a tensor, an array, a plain object, a number, a string, a boolean, null or undefined";

testFailures("saveTree()", [
  ...([
    ["a function", () => 1, "a function"],
    ["a bigint", 1n, "1n"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["an object of a class", new Config(), "an object (Config)"],
    ["a typed array", new Float32Array(2), "an object (Float32Array)"],
    ["a Map", new Map(), "an object (Map)"],
  ] as const).map(([name, value, shown]) =>
    [
      name,
      () => saveTree({ layers: [1, { x: value }] }),
      TypeError,
      `Cannot save tree: tree.layers.1.x ${kinds}, current value is ${shown}`,
    ] as const
  ),
  [
    "a leaf that is the whole tree",
    () => saveTree(1n),
    TypeError,
    `Cannot save tree: tree ${kinds}, current value is 1n`,
  ],
  [
    "a branch within itself",
    () => saveTree({ a: cycle }),
    TypeError,
    "Cannot save tree: tree.a.0.inner must not lie within itself, current value is tree.a",
  ],
  [
    "a hole",
    () => saveTree({ a: hole }),
    TypeError,
    "Cannot save tree: tree.a must be an array without holes or names, current value is an array of length 3",
  ],
  [
    "an array with a name",
    () => saveTree(Object.assign([1], { name: 2 })),
    TypeError,
    "Cannot save tree: tree must be an array without holes or names, current value is an array of length 1",
  ],
  [
    "a symbol as a key",
    () => saveTree({ [Symbol("s")]: 1 }),
    TypeError,
    "Cannot save tree: tree must be an object without hidden names, current value is an object (Object)",
  ],
  [
    "33 branches",
    () => saveTree(deep),
    RangeError,
    `Cannot save tree: tree must be at most 32 branches deep, current tree${".0".repeat(32)} is deeper`,
  ],
  [
    "a device that answers later",
    () => saveTree([later()]),
    TypeError,
    "Cannot save tree: tensors must live in host memory (move them with put), current backend is webgpu",
  ],
  [
    "a freed tensor",
    () => saveTree([freed]),
    TypeError,
    "Cannot read: tensor must be alive, current tensor of shape [1] on reference was freed",
  ],
  [
    "what only looks like a tensor",
    () => saveTree({ backend: {}, shape: [1] }),
    TypeError,
    "Cannot save tree: what has a backend and a shape must be a tensor, current backend is an object (Object)",
  ],
  [
    "metadata that is no object",
    () => saveTree({}, wrong("text")),
    TypeError,
    'Cannot save tree: metadata must be an object of texts, current value is "text"',
  ],
  [
    "metadata that is no text",
    () => saveTree({}, wrong({ epoch: 3 })),
    TypeError,
    'Cannot save tree: metadata must be an object of texts in Unicode, current "epoch" is 3',
  ],
  [
    "metadata that is no Unicode",
    () => saveTree({}, { a: "\ud800" }),
    TypeError,
    'Cannot save tree: metadata must be an object of texts in Unicode, current "a" is "\\ud800"',
  ],
  [
    "the tree's own name in metadata",
    () => saveTree({}, { "seqmix.tree": "x" }),
    TypeError,
    'Cannot save tree: metadata must leave "seqmix.tree" to the tree\'s form, current value is "x"',
  ],
  [
    "more than a header may hold",
    () => saveTree({}, { a: "a".repeat(1e8) }),
    RangeError,
    "Cannot save tree: names, structure and metadata must take at most 100000000 bytes, current length is 100000072",
  ],
]);
