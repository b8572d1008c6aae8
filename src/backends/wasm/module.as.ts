// What the WebAssembly module exports, besides its memory and the kernels of all operations in `src/ops/list.ts`, which the build
// adds. Addresses are in bytes, 0 is null.
export { copyRows } from "../../ops/batch/kernel.as";
export { norm } from "../../ops/clip/kernel.as";

// Recorded calls of the kernels, replayed: its source is written by the build, see tools/replay_source.ts.
export { replay } from "./replay.as";

/** Where the module's own data ends; all memory from here on belongs to JavaScript. */
const heapBase = __heap_base;
export { heapBase as __heap_base };
