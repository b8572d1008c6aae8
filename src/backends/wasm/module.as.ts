// The exports of the WebAssembly module beside its memory and the kernels of all operations in `src/ops/list.ts`,
// which the build adds. Addresses are in bytes, 0 is null.
export { copyStrided } from "../../ops/axes/kernel.as";
export { copyRows } from "../../ops/batch/kernel.as";
export { norm } from "../../ops/clip/kernel.as";
export { matmul } from "../../ops/matmul/kernel.as";
export { sum } from "../../ops/reduce/kernel.as";

// Replays recorded calls of the kernels. The build generates its source: see tools/replay_source.ts.
export { replay } from "./replay.as";

/** The end of the module's own data. JavaScript allocates the memory after it. */
const heapBase = __heap_base;
export { heapBase as __heap_base };
