import { assertEquals, assertThrows } from "@std/assert";
import {
  createReference,
  fit,
  fromOfficialRwkv,
  loadTree,
  lstmModel,
  presets,
  rwkv,
  saveTree,
  tensor,
  toOfficialRwkv,
} from "@seqmix/seqmix";
import { testFailures, testOnAll, wrong } from "../helpers.ts";
import { describe, fileOf, fixture, numbersAt } from "./files.ts";

const text = (content: string) => new TextEncoder().encode(content);

/** Files of other formats: the name, the first bytes, the format in the message, and the advice. */
const others: readonly (readonly [name: string, bytes: Uint8Array, what: string, todo: string])[] = [
  ...[[0x50, 0x4b, 3, 4], [0x80, 2], [0x80, 5]].map((bytes) =>
    [
      `PyTorch's, 0x${bytes[0].toString(16)} ${bytes[1]}`,
      Uint8Array.of(...bytes, ...new Array(30).fill(0x8a)),
      bytes.length === 2 ? "a Python pickle" : "a zip archive",
      "save PyTorch's .pth or .pt as safetensors: safetensors.torch.save_file(state_dict, path)",
    ] as const
  ),
  ...[
    "<!DOCTYPE html><html>",
    "\n\n  <!doctype html>\n<html>",
    "\ufeff<html><body>Not found",
    '<?xml version="1.0"?>',
  ].map(
    (page) =>
      [
        `a page ${JSON.stringify(page)}`,
        text(page),
        "an HTML or XML page",
        "download the file itself",
      ] as const,
  ),
  [
    "gzip",
    Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3),
    "a gzip file",
    "unpack it",
  ],
  ["text", text("404: Not Found"), "text", "was the download an error message?"],
  [
    "git-lfs",
    text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
    "a git-lfs pointer",
    "fetch the file itself: git lfs pull",
  ],
  ...["GGUF\x03\0\0\0", "lmgg\0\0\0\0", "fmgg\x01\0\0\0", "tjgg\x03\0\0\0"].map((magic) =>
    [
      magic.slice(0, 4),
      text(magic + "\0".repeat(20)),
      `a ${magic.startsWith("GGUF") ? "GGUF" : "GGML"} file`,
      "take the safetensors that it was made of",
    ] as const
  ),
  [
    "an index",
    text('{"metadata": {}, "weight_map": {}}'),
    "JSON",
    "load the safetensors files that it is about",
  ],
];

testFailures(
  "loadTree() of a file in another format",
  others.map(([name, bytes, what, todo]) => [
    name,
    () => loadTree(bytes),
    TypeError,
    `Cannot load tree: a file must be safetensors (${todo}), current one is ${what}`,
  ]),
);

Deno.test("loadTree() accepts a header of any length", () => {
  // Lengths whose first bytes are those of a pickle (0x280), of < (0x3c) and of { (0x7b).
  for (const length of [0x280, 0x3c, 0x7b, 0x4b50]) {
    const header = JSON.stringify({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }).padEnd(length);
    assertEquals(
      describe(loadTree(fileOf(header, [0, 0, 0x80, 0x3f])).tree),
      '{"a":Float32Array[1](0000803f)}',
    );
  }
});

Deno.test("loadTree() reports a truncated file as such, whatever its first bytes", () => {
  for (const length of [0x280, 0x580]) {
    assertThrows(
      () => loadTree(fileOf("{".padEnd(20), [], BigInt(length))),
      TypeError,
      "must be longer, current length",
    );
  }
});

Deno.test("fit() reports the format of a file that is not a checkpoint", async () => {
  const options = { resume: text("<html>".padEnd(20)) };
  const error = await fit(lstmModel, { train: [[1, 2]] }, options).next().catch((error) => error);
  assertEquals(error.message.slice(0, 55), "Cannot load tree: a file must be safetensors (download ");
});

Deno.test("loadTree() accepts an ArrayBuffer", async () => {
  const { buffer } = saveTree({ a: tensor([1, 2], [2]) });
  assertEquals(await numbersAt(loadTree(buffer as ArrayBuffer).tree, "a"), Float32Array.of(1, 2));
});

const eight = [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40];
const entry = (dtype: string, begin: number, shape = [1]) => ({
  dtype,
  shape,
  data_offsets: [begin, begin + 4],
});
/** With tensors of unsupported dtypes. */
const mixed = (dtype: string) =>
  fileOf({ "emb.weight": entry("F32", 0), "blocks.0.ids": entry(dtype, 4), "blocks.10": entry("F32", 8) }, [
    ...eight,
    ...[0, 0, 0x40, 0x40],
  ]);

Deno.test("loadTree() with only reads the wanted tensors of a file with unsupported dtypes", () => {
  for (const dtype of ["I64", "BOOL", "U8", "I32", "F8_E4M3", "F8_E5M2", "constructor"]) {
    const { tree } = loadTree(mixed(dtype), undefined, { only: ["emb.weight"] });
    assertEquals(describe(tree), '{"emb":{"weight":Float32Array[1](0000803f)}}');
    const error = assertThrows(() => loadTree(mixed(dtype)), TypeError);
    assertEquals(
      error.message,
      `Cannot load tree: dtype of tensor "blocks.0.ids" must be one of F64, F32, F16, BF16 (the option only leaves others ` +
        `out), current dtype is "${dtype}"`,
    );
  }
});

Deno.test("loadTree() with only accepts a name, or a branch", () => {
  const bytes = saveTree(toOfficialRwkv(rwkv.init({ ...presets.matched.rwkv, layers: 11 }, 1)));
  // Without the form of a tree, as in files from elsewhere.
  const named = (only: string[]) => loadTree(withoutForm(bytes), undefined, { only }).tree as Tree;
  type Tree = { readonly [name: string]: Tree };
  assertEquals(Object.keys(named(["emb", "head.weight"])), ["emb", "head"]);
  assertEquals(Object.keys(named(["blocks.1"]).blocks), ["1"]);
  assertEquals(Object.keys(named(["blocks.1.att", "blocks.10.ln1.bias"]).blocks), ["1", "10"]);
  assertEquals(
    describe(named(["emb", "blocks", "ln_out", "head"])),
    describe(loadTree(withoutForm(bytes)).tree),
  );
  assertEquals(describe(named([])), "{}");
  fromOfficialRwkv(named(["emb", "blocks", "ln_out", "head"]));
});

Deno.test("loadTree() with only keeps the other values of a saved tree, and the indices of arrays", () => {
  const [a, b] = [tensor([1], [1]), tensor([2], [1])];
  const bytes = saveTree({ heads: 4, list: [a, { b, c: "c" }, a], nothing: {}, b });
  const load = (...only: string[]) => describe(loadTree(bytes, undefined, { only }).tree);
  const one = "Float32Array[1](0000803f)", two = "Float32Array[1](00000040)";
  assertEquals(load("list.0"), `{"heads":4,"list":[${one},{"c":"c"},${one}],"nothing":{}}`);
  assertEquals(
    load("list.1"),
    `{"heads":4,"list":[undefined,{"b":${two},"c":"c"},undefined],"nothing":{},"b":${two}}`,
  );
  assertEquals(
    load("list"),
    `{"heads":4,"list":[${one},{"b":${two},"c":"c"},${one}],"nothing":{},"b":${two}}`,
  );
});

testOnAll("loadTree() with only allocates only the wanted tensors on the backend", (backend) => {
  const bytes = saveTree({ big: tensor(new Float32Array(10_000), [10_000]), small: tensor([1], [1]) });
  backend.free(loadTree(bytes, backend, { only: ["small"] }).tree);
  backend.resetPeak();
  const before = backend.memory().bytes;
  loadTree(bytes, backend, { only: ["small"] });
  const { bytes: held, peakBytes } = backend.memory();
  assertEquals([held - before < 1000, peakBytes - before < 1000], [true, true]);
});

const elsewhere = createReference();
const dtypes = fixture("dtypes");
const bad = (only: unknown) => () => loadTree(mixed("I64"), elsewhere, { only: wrong(only) });

testFailures("loadTree() with only", [
  [
    "a slip",
    bad(["emb.weigth"]),
    RangeError,
    'Cannot load tree: only must have names of the file (perhaps "emb.weight"), current one is "emb.weigth"',
  ],
  [
    "a slip in a branch",
    bad(["emb", "block"]),
    RangeError,
    'Cannot load tree: only must have names of the file (perhaps "blocks"), current one is "block"',
  ],
  [
    "the beginning of a name",
    bad(["blocks.1"]),
    RangeError,
    'Cannot load tree: only must have names of the file (perhaps "blocks.10"), current one is "blocks.1"',
  ],
  [
    "nothing near",
    bad(["xyzxyz"]),
    RangeError,
    'Cannot load tree: only must have names of the file (of ["emb.weight","blocks.0.ids","blocks.10"]), current one is "xyzxyz"',
  ],
  ...[["emb.", '"emb."'], ["", '""'], [".", '"."'], ["__metadata__", '"__metadata__"']].map(
    ([name, shown]): Parameters<typeof testFailures>[1][number] => [
      `the name ${shown}`,
      () => loadTree(dtypes, elsewhere, { only: [name] }),
      RangeError,
      loadTreeError(dtypes, name),
    ],
  ),
  ["a text", bad("emb"), TypeError, 'Cannot load tree: only must be a list of names, current value is "emb"'],
  [
    "numbers",
    bad([1]),
    TypeError,
    "Cannot load tree: only must be a list of names, current value is an array of length 1",
  ],
  [
    "a dtype that is wanted",
    bad(["blocks"]),
    TypeError,
    'Cannot load tree: dtype of tensor "blocks.0.ids" must be one of F64, F32, F16, BF16 (the option only leaves others ' +
    'out), current dtype is "I64"',
  ],
]);

Deno.test("loadTree() with only checks the whole file", () => {
  const gap = { "emb.weight": entry("F32", 0), other: { dtype: "I64", shape: [1], data_offsets: [5, 8] } };
  assertThrows(
    () => loadTree(fileOf(gap, eight), elsewhere, { only: ["emb"] }),
    TypeError,
    "must begin where",
  );
  const shape = { "emb.weight": entry("F32", 0), other: { ...entry("F32", 4), shape: [2] } };
  assertThrows(() => loadTree(fileOf(shape, eight), elsewhere, { only: ["emb"] }), TypeError, "of its shape");
  assertEquals(elsewhere.memory().bytes, 0);
});

/** The message for an unknown name, whatever the suggestion. */
function loadTreeError(bytes: Uint8Array, name: string): string {
  const error = assertThrows(() => loadTree(bytes, elsewhere, { only: [name] }), RangeError);
  assertEquals(error.message.startsWith("Cannot load tree: only must have names of the file ("), true);
  return error.message;
}

function withoutForm(bytes: Uint8Array): Uint8Array {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { __metadata__: _, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  return fileOf(header, bytes.subarray(8 + length));
}
