import { assertEquals } from "@std/assert";
import { lstmModel, parameterCount, presets, rwkv, transformer } from "@seqmix/seqmix";

const counts = Object.fromEntries(
  (["article", "matched"] as const).map((name) => [name, {
    rwkv: parameterCount(rwkv.init(presets[name].rwkv, 1)),
    transformer: parameterCount(transformer.init(presets[name].transformer, 1)),
    lstm: parameterCount(lstmModel.init(presets[name].lstm, 1)),
  }]),
);

Deno.test("presets have the numbers of parameters that follow from their sizes", () => {
  for (const [name, preset] of Object.entries(presets)) {
    const { vocabulary: V, layers: L, channels: C, feedForward: F } = preset.rwkv;
    const timeMix = 5 * C + 4 * C * C, channelMix = 2 * C + C * C + 2 * F * C, layerNorm = 2 * C;
    assertEquals(
      counts[name].rwkv,
      2 * V * C + 2 * layerNorm + L * (2 * layerNorm + timeMix + channelMix),
    );
    {
      const { vocabulary: V, layers: L, channels: C, feedForward: F } = preset.transformer;
      assertEquals(counts[name].transformer, 2 * V * C + 2 * C + L * (4 * C + 4 * C * C + 2 * F * C));
    }
    {
      const { vocabulary: V, layers: L, channels: C } = preset.lstm;
      assertEquals(counts[name].lstm, 2 * V * C + L * (8 * C * C + 4 * C));
    }
  }
});

Deno.test("presets article has the parameters of the architecture as written", () => {
  assertEquals(counts.article, { rwkv: 874_496, transformer: 805_120, lstm: 542_720 });
});

Deno.test("presets matched have about fifty thousand parameters, within 2% of one another", () => {
  const all = Object.values(counts.matched);
  assertEquals(Math.max(...all) / Math.min(...all) <= 1.02, true, String(all));
  for (const count of all) assertEquals(Math.abs(count - 50_000) <= 2_000, true, String(count));
});

Deno.test("presets have four layers and one vocabulary", () => {
  for (const preset of Object.values(presets)) {
    for (const { layers, vocabulary } of Object.values(preset)) assertEquals([layers, vocabulary], [4, 64]);
  }
});
