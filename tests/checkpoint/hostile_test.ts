import { assertEquals, assertStrictEquals } from "@std/assert";
import { createReference, loadTree, type Tensor } from "@seqmix/seqmix";
import { testFailures, wrong } from "../helpers.ts";
import { fileOf, numbersAt } from "./files.ts";

const eight = [1, 2, 3, 4, 5, 6, 7, 8];

function entry(shape: unknown, offsets: unknown, dtype: unknown = "F32") {
  return { dtype, shape, data_offsets: offsets };
}

/** A file with this form of a tree; its tensors are a and b, two numbers each. */
function formed(form: unknown): Uint8Array {
  const text = typeof form === "string" ? form : JSON.stringify(form);
  return fileOf({
    __metadata__: { "seqmix.tree": text },
    a: entry([1], [0, 4]),
    b: entry([1], [4, 8]),
  }, eight);
}

/** Invalid files: the rule, the file, and the message after "Cannot load tree: ". */
const files: readonly [name: string, bytes: Uint8Array, words: string][] = [
  ["an empty file", new Uint8Array(0), "a file must be at least 8 bytes, current length is 0"],
  ["a file of 7 bytes", new Uint8Array(7), "a file must be at least 8 bytes, current length is 7"],
  ["an empty header", fileOf(""), "header must begin with {, current first byte is none"],
  [
    "a header longer than the file",
    fileOf("{}", [], 3n),
    "a file with a header of 3 bytes must be longer, current length is 10",
  ],
  [
    "a huge header",
    fileOf("{}", [], 100_000_001n),
    "header must be at most 100000000 bytes, current header's length is 100000001",
  ],
  [
    "the longest header there can be",
    fileOf("{}", [], 2n ** 64n - 1n),
    "header must be at most 100000000 bytes, current header's length is 18446744073709551615",
  ],
  ["a space first", fileOf(" {}"), "header must begin with {, current first byte is 0x20"],
  ["a list", fileOf("[]"), "header must begin with {, current first byte is 0x5b"],
  ["a byte order mark", fileOf("\ufeff{}"), "header must begin with {, current first byte is 0xef"],
  ["no UTF-8", notUtf8(), "header must be UTF-8, current bytes are not"],
  ["no JSON", fileOf('{"a":}'), 'header must be JSON, current text is "{\\"a\\":}"'],
  ["two objects", fileOf("{}{}"), 'header must be JSON, current text is "{}{}"'],
  ["a text without end", fileOf('{"a\\'), 'header must be JSON, current text is "{\\"a\\\\"'],
  ["a name of no JSON", fileOf('{"\\x":1}'), 'header must be JSON, current text is "{\\"\\\\x\\":1}"'],
  [
    "a header that goes down and down",
    fileOf(`{"a":${"[".repeat(1e6)}`),
    "header must be nested at most 34 levels deep, current text is deeper",
  ],
  [
    "one name twice",
    fileOf(`{"a":${JSON.stringify(entry([1], [0, 4]))},"a":${JSON.stringify(entry([1], [4, 8]))}}`, eight),
    'header must not repeat a name, current name "a" is repeated',
  ],
  [
    "one name in two spellings",
    fileOf('{"a": 1, "\\u0061" \t\r\n : 2}'),
    'header must not repeat a name, current name "a" is repeated',
  ],
  [
    "__proto__ twice",
    fileOf('{"__proto__":1,"__proto__":2}'),
    'header must not repeat a name, current name "__proto__" is repeated',
  ],
  [
    "two shapes",
    fileOf('{"a":{"shape":[1],"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', eight),
    'header must not repeat a name, current name "shape" is repeated',
  ],
  ["no object as an entry", fileOf({ a: [1] }), 'tensor "a" must be an object, current value is [1]'],
  ["null as an entry", fileOf({ a: null }), 'tensor "a" must be an object, current value is null'],
  ...["I64", "f32", "constructor", "__proto__", "", null, 32, ["F32"]].map((dtype): typeof files[number] => [
    `a dtype ${JSON.stringify(dtype)}`,
    fileOf({ a: entry([1], [0, 8], dtype) }, eight),
    `dtype of tensor "a" must be one of F64, F32, F16, BF16 (the option only leaves others out), current dtype is ${
      JSON.stringify(dtype)
    }`,
  ]),
  [
    "no dtype",
    fileOf({ a: { shape: [1], data_offsets: [0, 4] } }, eight),
    'dtype of tensor "a" must be one of F64, F32, F16, BF16 (the option only leaves others out), current dtype is undefined',
  ],
  ...["[-1]", "[1.5]", '["1"]', "[null]", "[-0]", "[1e400]", "[9007199254740992]", "2", '{"0":1}'].map((
    shape,
  ): typeof files[number] => [
    `a shape ${shape}`,
    fileOf(`{"a":{"dtype":"F32","shape":${shape},"data_offsets":[0,4]}}`, eight),
    `shape of tensor "a" must be a list of sizes, current shape is ${JSON.stringify(JSON.parse(shape))}`,
  ]),
  ...["[0]", "[0,4,8]", "[4,0]", "[0,9]", "[9,9]", "[-4,0]", "[0,4.5]", '["0","4"]', "[0,1e300]", "null"].map(
    (
      offsets,
    ): typeof files[number] => [
      `data_offsets ${offsets}`,
      fileOf(`{"a":{"dtype":"F32","shape":[1],"data_offsets":${offsets}}}`, eight),
      'data_offsets of tensor "a" must be [begin, end] within the 8 bytes of data, ' +
      `current data_offsets are ${JSON.stringify(JSON.parse(offsets))}`,
    ],
  ),
  [
    "a shape larger than its bytes",
    fileOf({ a: entry([2 ** 30], [0, 8]) }, eight),
    'tensor "a" must take the bytes of its shape [1073741824] and dtype F32, current length is 8',
  ],
  [
    "a shape smaller than its bytes",
    fileOf({ a: entry([], [0, 8]) }, eight),
    'tensor "a" must take the bytes of its shape [] and dtype F32, current length is 8',
  ],
  [
    "a shape whose size is 2 to the 64",
    fileOf({ a: entry([2 ** 31, 2 ** 31], [0, 0]) }),
    'tensor "a" must take the bytes of its shape [2147483648,2147483648] and dtype F32, current length is 0',
  ],
  [
    "a size that is infinity times 0",
    fileOf({ a: entry([...new Array(25).fill(2 ** 50), 0], [0, 0]) }),
    'tensor "a" must take the bytes of its shape ' +
    "[1125899906842624,1125899906842624,1125899906842624,1125899906842624,11258999... " +
    "and dtype F32, current length is 0",
  ],
  [
    "tensors that overlap",
    fileOf({ a: entry([1], [0, 4]), b: entry([1], [2, 6]) }, eight.slice(2)),
    'tensor "b" must begin where the one before it ends, at 4, current data_offsets are [2, 6]',
  ],
  [
    "tensors that share their bytes",
    fileOf({ a: entry([2], [0, 8]), b: entry([2], [0, 8]) }, eight),
    'tensor "b" must begin where the one before it ends, at 8, current data_offsets are [0, 8]',
  ],
  [
    "a hole at the start",
    fileOf({ a: entry([1], [4, 8]) }, eight),
    'tensor "a" must begin where the one before it ends, at 0, current data_offsets are [4, 8]',
  ],
  [
    "a hole between tensors",
    fileOf({ a: entry([0], [0, 0]), b: entry([1], [4, 8]) }, eight),
    'tensor "b" must begin where the one before it ends, at 0, current data_offsets are [4, 8]',
  ],
  ["bytes left over", fileOf({ a: entry([1], [0, 4]) }, eight), "data must be 4 bytes, current length is 8"],
  ["bytes of nothing", fileOf({}, eight), "data must be 0 bytes, current length is 8"],
  [
    "metadata that is no object",
    fileOf({ __metadata__: "text" }),
    '__metadata__ must be an object of strings, current value is "text"',
  ],
  [
    "metadata that is no text",
    fileOf({ __metadata__: { epoch: 3 } }),
    '__metadata__ must be an object of strings, current "epoch" is 3',
  ],
  [
    "a very long name",
    fileOf({ ["a".repeat(1e6)]: 1 }),
    `tensor "${"a".repeat(76)}... must be an object, current value is 1`,
  ],
  [
    "a name that is a tensor and then a branch",
    fileOf({ a: entry([1], [0, 4]), "a.b": entry([1], [4, 8]) }, eight),
    'a name must be a tensor\'s or begin other names, current name "a" is both',
  ],
  [
    "a name that is a branch and then a tensor",
    fileOf({ "a.b.c": entry([1], [0, 4]), "a.b": entry([1], [4, 8]) }, eight),
    'a name must be a tensor\'s or begin other names, current name "a.b" is both',
  ],
  [
    "a name of 33 parts",
    fileOf({ [".".repeat(32)]: entry([0], [0, 0]) }),
    `a name must have at most 32 parts, current name is "${".".repeat(32)}"`,
  ],
  ["a form of no JSON", formed("tree"), 'seqmix.tree must be JSON, current text is "tree"'],
  ["a form that is no object", formed([1]), "seqmix.tree must be an object, current value is [1]"],
  [
    "a later version",
    formed({ version: 3, tree: 1 }),
    "seqmix.tree must be of version 1 or 2, current version is 3",
  ],
  ["no version", formed({ tree: 1 }), "seqmix.tree must be of version 1 or 2, current version is undefined"],
  ["a form without a tree", formed({ version: 1 }), "seqmix.tree must have a tree, current tree is missing"],
  [
    "a form that names a key twice",
    formed('{"version":1,"tree":{"a":1,"a":2}}'),
    'seqmix.tree must not repeat a name, current name "a" is repeated',
  ],
  [
    "a form of 33 branches",
    formed(`{"version":1,"tree":${"[".repeat(34)}`),
    "seqmix.tree must be nested at most 34 levels deep, current text is deeper",
  ],
  [
    "a tensor without a place",
    formed({ version: 1, tree: [{ $tensor: "b" }] }),
    'every tensor must have a place in the tree, current tensor "a" has none',
  ],
  ...[{ $tensor: "c" }, { $tensor: "__proto__" }, { $tensor: 0 }, { $tensor: "b", x: 1 }, { $tensor: "a" }]
    .map((
      place,
    ): typeof files[number] => [
      `a place ${JSON.stringify(place)}`,
      formed({ version: 1, tree: [{ $tensor: "a" }, place] }),
      '{ "$tensor": name } must name a tensor of the file that has no place yet, ' +
      `current value is ${JSON.stringify(place)}`,
    ]),
  ...[{ $tensor: "c" }, { $tensor: "a", x: 1 }].map((place): typeof files[number] => [
    `a place ${JSON.stringify(place)} in version 2`,
    formed({ version: 2, tree: [{ $tensor: "a" }, { $tensor: "b" }, place] }),
    `{ "$tensor": name } must name a tensor of the file, current value is ${JSON.stringify(place)}`,
  ]),
  [
    "no place in version 2",
    formed({ version: 2, tree: [{ $tensor: "a" }, { $tensor: "a" }] }),
    'every tensor must have a place in the tree, current tensor "b" has none',
  ],
  ...[{ $value: "null" }, { $value: 1 }, { $value: "NaN", x: 1 }].map((value): typeof files[number] => [
    `a value ${JSON.stringify(value)}`,
    formed({ version: 1, tree: value }),
    '{ "$value": word } must have one of the words undefined, NaN, Infinity, -Infinity, -0, ' +
    `current value is ${JSON.stringify(value)}`,
  ]),
  [
    "an unknown word",
    formed({ version: 1, tree: { $date: 1 } }),
    'a key in the tree that begins with $ must be $tensor or $value, current key is "$date"',
  ],
  [
    "what looks like a tensor",
    formed({ version: 1, tree: { x: { backend: {}, shape: [] }, a: { $tensor: "a" }, b: { $tensor: "b" } } }),
    "an object of the tree must not look like a tensor, current one has a backend and a list as its shape",
  ],
  [
    "names that look like a tensor",
    fileOf({ "x.backend.a": entry([1], [0, 4]), "x.shape.0": entry([1], [4, 8]) }, eight),
    "an object of the tree must not look like a tensor, current one has a backend and a list as its shape",
  ],
];

function notUtf8(): Uint8Array {
  const bytes = fileOf({ a: 1 });
  bytes[10] = 0xff;
  return bytes;
}

testFailures("loadTree()", [
  ...files.map(([name, bytes, words]) =>
    [name, () => loadTree(bytes), TypeError, `Cannot load tree: ${words}`] as const
  ),
  [
    "no bytes",
    () => loadTree(wrong("file")),
    TypeError,
    'Cannot load tree: bytes must be a Uint8Array or an ArrayBuffer, current value is "file"',
  ],
  [
    "no backend",
    () => loadTree(fileOf({}), wrong(Promise.resolve())),
    TypeError,
    "Cannot load tree: backend must be a backend (await the promise of one), current value is a promise",
  ],
]);

Deno.test("loadTree() creates no tensor from an invalid file", () => {
  using backend = createReference();
  for (const [name, bytes] of files) {
    try {
      loadTree(bytes, backend);
    } catch {
      assertEquals(backend.memory(), { bytes: 0, peakBytes: 0 }, name);
    }
  }
});

Deno.test("loadTree() accepts unusual but valid files", async (t) => {
  const a = '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';
  const data = new Uint8Array(new Float32Array([7]).buffer);
  const unusual: Record<string, Uint8Array> = {
    "spaces": fileOf(`{ ${a.replaceAll(":", " : ").replaceAll(",", "\n,\t")} }\r\n  `, data),
    "no padding": fileOf(`{${a}}`, data),
    "names that are spelled out": fileOf(`{${a.replace('"a"', '"\\u0061"')}}`, data),
    "entries out of order": fileOf(`{"c":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},${a}}`, data),
    "fields that nobody knows": fileOf(`{${a.replace("}", ',"more":[{"a":"\\\\"},"{"]}')}}`, data),
    "one name in two places": fileOf(`{"__metadata__":{"a":"a","b":"a:"},${a}}`, data),
    "a number in another form": fileOf(`{${a.replace("[0,4]", "[0,0.4e1]")}}`, data),
  };
  for (const [name, bytes] of Object.entries(unusual)) {
    await t.step(
      name,
      async () => assertEquals(await numbersAt(loadTree(bytes).tree, "a"), new Float32Array([7])),
    );
  }
});

Deno.test("loadTree() loads a tensor without elements, however long its other axes", () => {
  const { tree } = loadTree(fileOf({ a: entry([0, Number.MAX_SAFE_INTEGER], [0, 0]) }));
  assertEquals((tree as { a: Tensor }).a.shape, [0, Number.MAX_SAFE_INTEGER]);
});

Deno.test("loadTree() does not change Object.prototype", () => {
  const names = ["__proto__.polluted", "constructor.prototype.polluted"];
  for (const name of names) {
    loadTree(fileOf({ [name]: entry([1], [0, 4]) }, eight.slice(4)));
    assertStrictEquals(({} as { polluted?: unknown }).polluted, undefined);
  }
});
