// Everything that the WebAssembly module exports, besides its memory: one function a kernel.
// See `Kernels` in ../kernels.ts; addresses are in bytes, 0 stands for null.
export { adamW } from "../../ops/adam_w/kernel.as";
export { attention, attentionBackward } from "../../ops/attention/kernel.as";
export { copyRows } from "../../ops/batch/kernel.as";
export { clipToNorm, norm } from "../../ops/clip/kernel.as";
export { crossEntropy, crossEntropyBackward } from "../../ops/cross_entropy/kernel.as";
export {
  add,
  gelu,
  geluBackward,
  mix,
  mixBackward,
  multiply,
  negativeExp,
  negativeExpBackward,
  sigmoid,
  sigmoidBackward,
  squaredRelu,
  squaredReluBackward,
  tanh,
  tanhBackward,
} from "../../ops/elementwise/kernel.as";
export { embedding, embeddingBackward } from "../../ops/embedding/kernel.as";
export { layerNorm, layerNormBackward } from "../../ops/layer_norm/kernel.as";
export { linear, linearBackwardInput, linearBackwardWeight } from "../../ops/linear/kernel.as";
export { lstmRecurrence, lstmRecurrenceBackward } from "../../ops/lstm/kernel.as";
export { rotary, rotaryBackward } from "../../ops/rotary/kernel.as";
export { sample } from "../../ops/sample/kernel.as";
export { lastStep, lastStepBackward, shiftTime, shiftTimeBackward } from "../../ops/shift_time/kernel.as";
export { softmax, softmaxBackward } from "../../ops/softmax/kernel.as";
export { wkv, wkvBackward } from "../../ops/wkv/kernel.as";

// Recorded calls of these kernels, replayed: its source is written by tools/build.ts, see tools/replay_source.ts.
export { replay } from "./replay.as";

/** Where the module's own data ends; all memory from here on belongs to JavaScript. */
const heapBase = __heap_base;
export { heapBase as __heap_base };
