import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  type Backend,
  createReference,
  fromOfficialRwkv,
  loadTree,
  parameterCount,
  presets,
  read,
  rwkv,
  saveTree,
  type Tensor,
  tensor,
  toOfficialRwkv,
} from "@seqmix/seqmix";
import { assertNear, testFailures, wrong } from "../helpers.ts";
import { describe, fixture } from "./files.ts";

const config = { vocabulary: 5, layers: 2, channels: 4, feedForward: 8 };

Deno.test("fromOfficialRwkv() makes an official checkpoint a model with PyTorch's logits", async () => {
  using backend = createReference({ precision: "float64" });
  const { tree, metadata } = loadTree(fixture("rwkv4"), backend);
  const params = fromOfficialRwkv(tree);
  const { logits } = rwkv.forward(params, [JSON.parse(metadata.tokens)], rwkv.initialState(params));
  assertNear(await read(logits), JSON.parse(metadata.logits), 1e-6);
});

Deno.test("fromOfficialRwkv() gives parameters in the form and order of rwkv.init()", () => {
  const shapes = (tree: unknown) => describe(tree).replaceAll(/\(\w*\)/g, "");
  assertEquals(shapes(fromOfficialRwkv(loadTree(fixture("rwkv4")).tree)), shapes(rwkv.init(config, 1)));
});

Deno.test("toOfficialRwkv() gives the names and shapes of an official checkpoint", () => {
  const { tree } = loadTree(fixture("rwkv4"));
  const again = loadTree(saveTree(toOfficialRwkv(fromOfficialRwkv(tree)))).tree as Record<string, Tensor>;
  const official = loadTree(withoutNesting(fixture("rwkv4"))).tree as Record<string, Tensor>;
  const sorted = (flat: Record<string, Tensor>) => describe(Object.fromEntries(Object.entries(flat).sort()));
  assertEquals(sorted(again), sorted(official));
});

/** The same file with each dot of a name replaced by a character as long, so that its names are taken as they are. */
function withoutNesting(bytes: Uint8Array): Uint8Array {
  const flat = Object.fromEntries(
    Object.entries(toOfficialRwkv(fromOfficialRwkv(loadTree(bytes).tree))).map(([name, t]) => [name, t]),
  );
  return saveTree(flat);
}

Deno.test("fromOfficialRwkv() undoes toOfficialRwkv()", () => {
  const params = rwkv.init(presets.matched.rwkv, 1);
  const official = toOfficialRwkv(params);
  assertEquals(describe(fromOfficialRwkv(official)), describe(params));
  assertEquals(parameterCount(official), parameterCount(params));
});
