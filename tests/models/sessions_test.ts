import { assertEquals } from "@std/assert";
import {
  multiHeadAttentionState,
  put,
  readFloat64,
  sliceState,
  stackStates,
  type Tensor,
  transformer,
} from "@seqmix/seqmix";
import fc from "fast-check";
import { assertNear, testFailures, testOnAll } from "../helpers.ts";
import { mixers } from "../mixers.ts";

const options = { numRuns: 7 };

for (const mixer of mixers) {
  testOnAll(
    `stackStates() of ${mixer.name} steps sessions as one batch, as each would alone,`,
    async (backend) => {
      const tolerance = mixer.steep ? 1e-4 : 1e-5;
      const seeds = fc.nat(2 ** 31);
      const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
      const check = async (seed: number, lengths: readonly number[], steps: number) => {
        const params = await mixer.make(seed, backend);
        const { bytes } = backend.memory();
        const sessions = lengths.map((length, i) => {
          const start = mixer.state(params, 1);
          const prefix = mixer.sequences(seed + i, 1, mixer.cached ? lengths[0] : length);
          const { y, state } = mixer.run(params, prefix, start, backend);
          backend.free([start, y]);
          return state;
        });

        const x = mixer.sequences(seed + 10, sessions.length, steps);
        const stacked = stackStates(sessions);
        const batch = mixer.run(params, x, stacked, backend);
        const batchY = await rowsOf(batch.y);
        for (const [i, session] of sessions.entries()) {
          const alone = mixer.run(params, [x[i]], session, backend);
          assertNear(batchY[i], (await rowsOf(alone.y))[0], tolerance);

          const sliced = sliceState(batch.state, i);
          const next = mixer.sequences(seed + 20, 1, 2);
          const after = mixer.run(params, next, sliced, backend);
          const afterAlone = mixer.run(params, next, alone.state, backend);
          assertNear(await readFloat64(after.y), await readFloat64(afterAlone.y), tolerance);
          backend.free([alone, sliced, after, afterAlone]);
        }
        backend.free([sessions, stacked, batch]);
        assertEquals(backend.memory().bytes, bytes);
        backend.free(params);
      };
      await fc.assert(fc.asyncProperty(seeds, lengths, fc.integer({ min: 1, max: 3 }), check), options);
    },
  );
}

const params = transformer.init({ vocabulary: 9, layers: 1, channels: 12, feedForward: 5, heads: 3 }, 1);

testOnAll("stackStates() joins empty caches of any capacity", async (backend) => {
  const { attention } = (await put(params, backend)).blocks[0];
  const { key, value } = stackStates([3, 0, 100].map((room) => multiHeadAttentionState(attention, 1, room)));
  assertEquals([key.shape, value.shape], [[3, 0, 12], [3, 0, 12]]);
});

const after = (...ids: readonly number[]) =>
  transformer.forward(params, [ids], transformer.initialState(params)).state;

testFailures("stackStates() of attention", [
  [
    "caches of different lengths",
    () => stackStates([after(1, 2, 3), after(4, 5, 6), after(7)]),
    TypeError,
    "Cannot stack states: state.blocks.0.key must be [B, 3, 12] in every state, current shape is [1, 1, 12]",
  ],
]);

async function rowsOf(y: Tensor): Promise<Float64Array[]> {
  const values = await readFloat64(y), size = values.length / y.shape[0];
  return Array.from({ length: y.shape[0] }, (_, i) => values.subarray(i * size, (i + 1) * size));
}
