/**
 * The models in PyTorch, in a Python process of its own that does its own timing.
 *
 * @module
 */
import type { Peer } from "./peer.ts";
import { startPython } from "./python.ts";

/** PyTorch, eager, of the system's Python. */
export const pyTorch: Peer = {
  name: "pytorch",
  async open(subject) {
    const { ask, close } = await startPython("pytorch_peer.py", subject, {});
    return {
      async decode(tokens) {
        const rows = await ask<number[][]>({ decode: tokens });
        return rows.map((row) => Float32Array.from(row));
      },
      time: (count) => ask<number>({ time: count }),
      close,
    };
  },
};
