/**
 * The reference backend: plain TypeScript straight from the equations. It is the specification of all others.
 *
 * @module
 */
import { hostArray } from "../../allocate.ts";
import { show } from "../../check.ts";
import { adamW } from "../../ops/adam_w/reference.ts";
import { attention, attentionBackward } from "../../ops/attention/reference.ts";
import { copyRows } from "../../ops/batch/reference.ts";
import { clipToNorm, norm } from "../../ops/clip/reference.ts";
import { crossEntropy, crossEntropyBackward } from "../../ops/cross_entropy/reference.ts";
import {
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
} from "../../ops/elementwise/reference.ts";
import { embedding, embeddingBackward } from "../../ops/embedding/reference.ts";
import { layerNorm, layerNormBackward } from "../../ops/layer_norm/reference.ts";
import { linear, linearBackwardInput, linearBackwardWeight } from "../../ops/linear/reference.ts";
import { lstmRecurrence, lstmRecurrenceBackward } from "../../ops/lstm/reference.ts";
import { rotary, rotaryBackward } from "../../ops/rotary/reference.ts";
import { sample } from "../../ops/sample/reference.ts";
import { lastStep, lastStepBackward, shiftTime, shiftTimeBackward } from "../../ops/shift_time/reference.ts";
import { softmax, softmaxBackward } from "../../ops/softmax/reference.ts";
import { wkv, wkvBackward } from "../../ops/wkv/reference.ts";
import type { Backend, Floats } from "../../tensor.ts";
import { DeviceBackend } from "../device_backend.ts";
import type { Kernels } from "../kernels.ts";

const kernels: Kernels<Floats> = {
  adamW,
  add,
  attention,
  attentionBackward,
  clipToNorm,
  copyRows,
  crossEntropy,
  crossEntropyBackward,
  embedding,
  embeddingBackward,
  gelu,
  geluBackward,
  lastStep,
  lastStepBackward,
  layerNorm,
  layerNormBackward,
  linear,
  linearBackwardInput,
  linearBackwardWeight,
  lstmRecurrence,
  lstmRecurrenceBackward,
  mix,
  mixBackward,
  multiply,
  negativeExp,
  negativeExpBackward,
  norm,
  rotary,
  rotaryBackward,
  sample,
  shiftTime,
  shiftTimeBackward,
  sigmoid,
  sigmoidBackward,
  softmax,
  softmaxBackward,
  squaredRelu,
  squaredReluBackward,
  tanh,
  tanhBackward,
  wkv,
  wkvBackward,
};

/** How a reference backend computes. */
export interface ReferenceOptions {
  /** What its tensors hold; default `"float32"`. Sums are in double precision in either case. */
  readonly precision?: "float32" | "float64" | undefined;
}

/**
 * A backend of plain TypeScript, the specification of all others.
 *
 * @param options `precision: "float64"` for checks to twelve digits
 * @returns a backend of its own, whose bytes are counted by themselves
 * @throws {TypeError} on another precision
 *
 * @example
 * ```ts
 * import { createReference, readFloat64, sigmoid, tensor } from "@seqmix/seqmix";
 *
 * using backend = createReference({ precision: "float64" });
 * console.log(await readFloat64(sigmoid(tensor([1], [1], backend)))); // 0.7310585786300049
 * ```
 */
export function createReference(options: ReferenceOptions = {}): Backend {
  const { precision = "float32" } = options;
  if (precision !== "float32" && precision !== "float64") {
    throw new TypeError(
      `Cannot create reference: precision must be "float32" or "float64", current precision is ${
        show(precision)
      }`,
    );
  }
  const Numbers = precision === "float64" ? Float64Array : Float32Array;
  let held = 0;
  return new DeviceBackend<Floats>({
    name: "reference",
    options: { precision },
    kernels,
    workAtOnce: 2 ** 22,
    bytesFor: (size) => size * Numbers.BYTES_PER_ELEMENT,
    allocate(size) {
      const memory = hostArray<Floats>("allocate tensor", Numbers, size, held);
      held += memory.byteLength;
      return memory;
    },
    release: (memory) => held -= memory.byteLength,
    upload: (memory, data) => memory.set(data),
    download: (memory, size) => memory.slice(0, size),
    dispose: () => {},
  });
}

/** The shared float32 reference, where tensors live unless told otherwise. It can't be disposed of. */
export const reference: Backend = Object.defineProperty(createReference(), Symbol.dispose, {
  value: () => {
    throw new TypeError(
      "Cannot dispose of reference: it must be a backend of one's own (createReference), current one is shared",
    );
  },
});
