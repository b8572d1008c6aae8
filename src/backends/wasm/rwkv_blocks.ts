/**
 * The kernel of all blocks of an RWKV as `ExtraKernels` has it: WebAssembly takes no lists, so they go through memory.
 *
 * @module
 */
import type { ExtraKernels } from "../kernels.ts";

/** The exported kernel; the table that it takes is described in `rwkv_blocks.as.ts`. */
export type TableKernel = (
  y: number,
  table: number,
  blocks: number,
  x: number,
  batch: number,
  time: number,
  channels: number,
  epsilon: number,
  scratch: number,
) => void;

/** The words of a table for so many blocks: whole cache lines, so that what comes after it starts at one. */
export function tableSize(blocks: number): number {
  return 16 * Math.ceil(25 * blocks / 16);
}

/** The kernel with lists, which writes the table to the front of the scratch memory. `words` is all memory. */
export function withLists(
  kernel: TableKernel,
  words: () => Uint32Array,
): ExtraKernels<number>["rwkvBlocks"] {
  return (
    y,
    nextStates,
    weights,
    x,
    states,
    batch,
    time,
    channels,
    features,
    epsilon,
    scratch,
  ) => {
    const table = words(), blocks = features.length;
    let at = scratch / 4;
    for (let i = 0; i < weights.length; i++) table[at++] = weights[i];
    for (let i = 0; i < states.length; i++) table[at++] = states[i];
    for (let i = 0; i < nextStates.length; i++) table[at++] = nextStates[i];
    for (let i = 0; i < blocks; i++) table[at++] = features[i];
    kernel(
      y,
      scratch,
      blocks,
      x,
      batch,
      time,
      channels,
      epsilon,
      scratch + 4 * tableSize(blocks),
    );
  };
}
