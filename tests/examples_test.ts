import { assert, assertEquals } from "@std/assert";
import {
  createWasm,
  evaluate,
  loadTree,
  motifTask,
  parameterCount,
  rwkv,
  type RwkvParams,
  trainAndTest,
} from "@seqmix/seqmix";

for (const name of ["classify", "tagger", "text"]) {
  Deno.test(`examples/${name}.ts has at most 60 lines`, async () => {
    const code = await Deno.readTextFile(new URL(`../examples/${name}.ts`, import.meta.url));
    assert(code.trimEnd().split("\n").length <= 60);
  });
}

Deno.test("examples/motif.safetensors is a trained RWKV of less than 120 KB", async () => {
  const bytes = await Deno.readFile(new URL("../examples/motif.safetensors", import.meta.url));
  assert(bytes.length < 120_000, `${bytes.length} bytes`);
  using backend = await createWasm();
  const { tree, metadata } = loadTree(bytes, backend);
  assertEquals(metadata, { task: "motifs" });
  assertEquals(parameterCount(tree), 27_456);
  // The test sequences of examples/train.ts; an n-gram without long-term memory predicts 83.6% of their tokens.
  const task = motifTask({ motifs: 8, longestCycle: 3 }, 1);
  const { test } = trainAndTest(task, { train: 512, test: 128, length: 96, seed: 1 });
  const { accuracy } = await evaluate(rwkv, tree as RwkvParams, test);
  assert(accuracy > 0.92 && accuracy < 0.96, `accuracy ${accuracy}`);
});
