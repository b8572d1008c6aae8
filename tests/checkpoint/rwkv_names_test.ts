import { assertEquals } from "@std/assert";
import {
  type Backend,
  createReference,
  fromOfficialRwkv,
  loadTree,
  parameterCount,
  presets,
  read,
  rwkv,
  tensor,
  toOfficialRwkv,
  transformer,
} from "@seqmix/seqmix";
import { assertNear, testFailures, wrong } from "../helpers.ts";
import { describe, fixture, headerOf } from "./files.ts";

const config = { vocabulary: 5, layers: 2, channels: 4, feedForward: 8 };

Deno.test("fromOfficialRwkv() converts an official checkpoint to a model with PyTorch's logits", async () => {
  using backend = createReference({ precision: "float64" });
  const { tree, metadata } = loadTree(fixture("rwkv4"), backend);
  const params = fromOfficialRwkv(tree);
  const { logits } = rwkv.forward(params, [JSON.parse(metadata.tokens)], rwkv.initialState(params));
  assertNear(await read(logits), JSON.parse(metadata.logits), 1e-6);
});

Deno.test("fromOfficialRwkv() returns parameters in the form and order of rwkv.init()", () => {
  const shapes = (tree: unknown) => describe(tree).replaceAll(/\(\w*\)/g, "");
  assertEquals(shapes(fromOfficialRwkv(loadTree(fixture("rwkv4")).tree)), shapes(rwkv.init(config, 1)));
});

Deno.test("toOfficialRwkv() returns the names, shapes and numbers of an official checkpoint", () => {
  const { tree } = loadTree(fixture("rwkv4"));
  const official = toOfficialRwkv(fromOfficialRwkv(tree));
  const { __metadata__: _, ...header } = JSON.parse(headerOf(fixture("rwkv4")));
  assertEquals(Object.keys(official).sort(), Object.keys(header).sort());
  for (const [name, { shape }] of Object.entries<{ shape: number[] }>(header)) {
    assertEquals(official[name].shape, shape, name);
    assertEquals(describe(official[name]), describe(at(tree, name)), name);
  }
});

function at(tree: unknown, name: string): unknown {
  return name.split(".").reduce((branch, key) => (branch as Record<string, unknown>)[key], tree);
}

Deno.test("fromOfficialRwkv() is the inverse of toOfficialRwkv()", () => {
  const params = rwkv.init(presets.matched.rwkv, 1);
  const official = toOfficialRwkv(params);
  assertEquals(describe(fromOfficialRwkv(official)), describe(params));
  assertEquals(parameterCount(official), parameterCount(params));
});

Deno.test("fromOfficialRwkv() leaves no tensor allocated in a scope", () => {
  using backend = createReference();
  const bytes = fixture("rwkv4");
  const params = backend.scope(() => fromOfficialRwkv(loadTree(bytes, backend).tree));
  assertEquals(backend.memory().bytes, 4 * parameterCount(params));
});

const official = toOfficialRwkv(rwkv.init(config, 1));
const { "head.weight": _, ...headless } = official;
const params = rwkv.init(config, 1);
const elsewhere: Backend = Object.assign(Object.create(params.head.backend), {
  name: "webgpu",
  download: () => Promise.resolve(new Float32Array(4)),
});

testFailures("fromOfficialRwkv()", [
  [
    "a name that is missing",
    () => fromOfficialRwkv(headless),
    TypeError,
    "Cannot read official RWKV: head.weight must be a tensor [5, 4], current value is undefined",
  ],
  [
    "a block that is missing",
    () => fromOfficialRwkv({ ...official, "blocks.3.ln1.weight": official["ln_out.weight"] }),
    TypeError,
    'Cannot read official RWKV: tree must hold RWKV-4\'s tensors alone, current tree has "blocks.3.ln1.weight" too',
  ],
  [
    "a name of another RWKV",
    () => fromOfficialRwkv({ ...official, "blocks.0.att.gate.weight": tensor([1], [1]) }),
    TypeError,
    'Cannot read official RWKV: tree must hold RWKV-4\'s tensors alone, current tree has "blocks.0.att.gate.weight" too',
  ],
  [
    "another shape",
    () => fromOfficialRwkv({ ...official, "blocks.1.att.time_mix_k": tensor([1, 2, 3, 4], [4]) }),
    TypeError,
    "Cannot read official RWKV: blocks.1.att.time_mix_k must be [1, 1, 4], current shape is [4]",
  ],
  [
    "two widths",
    () => fromOfficialRwkv({ ...official, "blocks.1.ffn.key.weight": tensor([1, 2, 3, 4], [1, 4]) }),
    TypeError,
    "Cannot read official RWKV: blocks.1.ffn.key.weight must be [8, 4], current shape is [1, 4]",
  ],
  [
    "a promise",
    () => fromOfficialRwkv(Promise.resolve({})),
    TypeError,
    "Cannot read official RWKV: tree must hold tensors (await it), current value is a promise",
  ],
  [
    "what loadTree returns",
    () => fromOfficialRwkv({ tree: { "emb.weight": tensor([1], [1, 1]) }, metadata: {} }),
    TypeError,
    "Cannot read official RWKV: tree must hold RWKV-4's tensors alone (take its tree), current value is an object of tree, " +
    "metadata",
  ],
  [
    "RWKV-7",
    () => fromOfficialRwkv({ "emb.weight": tensor([1], [1, 1]), "blocks.0.att.x_r": tensor([1], [1]) }),
    TypeError,
    "Cannot read official RWKV: tree must hold RWKV-4's tensors alone (these are of a later version), current tree has " +
    '"blocks.0.att.x_r" too',
  ],
  [
    "no tree",
    () => fromOfficialRwkv(undefined),
    TypeError,
    "Cannot read official RWKV: tree must hold tensors, current value is undefined",
  ],
  [
    "a device that answers later",
    () =>
      fromOfficialRwkv({ ...official, "blocks.0.att.time_mix_k": { shape: [1, 1, 4], backend: elsewhere } }),
    TypeError,
    "Cannot read official RWKV: tensors must live in host memory (move them with put), current backend is webgpu",
  ],
]);

testFailures("toOfficialRwkv()", [
  [
    "no parameters of RWKV",
    () => toOfficialRwkv(wrong(transformer.init(presets.matched.transformer, 1))),
    TypeError,
    'Cannot write official RWKV: tree must hold RWKV-4\'s tensors alone, current tree has "blocks.0.attention.heads" too',
  ],
  [
    "a part that is missing",
    () => toOfficialRwkv({ ...params, head: wrong(null) }),
    TypeError,
    "Cannot write official RWKV: head must be a tensor [5, 4], current value is null",
  ],
]);
