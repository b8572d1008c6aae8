import { assertEquals } from "@std/assert";
import { createReference, presets, rwkv, summary, tensor, zeros } from "@seqmix/seqmix";
import { testFailures, wrong } from "./helpers.ts";

Deno.test("summary() counts a tensor in several places once, and other values not at all", () => {
  const tied = zeros([4, 2]);
  const text = summary({ embedding: tied, heads: 2, blocks: [{ bias: zeros([]) }], head: tied });
  assertEquals(
    text,
    [
      "name           shape        numbers  bytes",
      "embedding      [4, 2]             8     32",
      "blocks.0.bias  []                 1      4",
      "head           = embedding",
      "2 tensors      reference          9     36",
    ].join("\n"),
  );
});

Deno.test("summary() has the bytes of double precision, and the backends", () => {
  using exact = createReference({ precision: "float64" });
  assertEquals(summary(tensor([1, 2], [2], exact)).split("\n").slice(1), [
    "          [2]              2     16",
    "1 tensor  reference        2     16",
  ]);
});

Deno.test("summary() has a row for each tensor of a model, and its totals", () => {
  const lines = summary(rwkv.init(presets.matched.rwkv, 1)).split("\n");
  assertEquals(lines.length, 2 + 78);
  assertEquals(lines.at(-1)?.split(/ +/), ["78", "tensors", "reference", "51712", "206848"]);
});

testFailures("summary()", [
  [
    "a config",
    () => summary(wrong(presets.matched.rwkv)),
    TypeError,
    "Cannot summarize: params must hold tensors (init makes parameters of one), current value is a config",
  ],
]);
