import { assert, assertEquals } from "@std/assert";
import { type AnyLanguageModel, lstmModel, read, rwkv, transformer } from "@seqmix/seqmix";
import { tensorsOf } from "../../src/tree.ts";

const sizes = { vocabulary: 100_000, layers: 1, channels: 4 };
const models: readonly [AnyLanguageModel, unknown, number][] = [
  // One part for 2¹⁶ numbers, and one for each orthogonal vector.
  [rwkv, { ...sizes, channels: 16, feedForward: 64 }, 48],
  [transformer, { ...sizes, feedForward: 8, heads: 2 }, 14],
  [lstmModel, sizes, 14],
];

for (const [model, config, least] of models) {
  Deno.test(`initInParts() of ${model.name} draws the same as init(), also for a matrix in parts`, async () => {
    const parts = model.initInParts!(config, 3);
    let count = 0, next = parts.next();
    for (; !next.done; next = parts.next()) count++;
    assert(count >= least, `there are ${count} parts`);
    const expected = tensorsOf(model.init(config, 3)), actual = tensorsOf(next.value);
    assertEquals(actual.length, expected.length);
    for (const [i, t] of actual.entries()) assertEquals(await read(t), await read(expected[i]));
  });
}
