/**
 * The reference backend: plain TypeScript, written directly from the equations. It is the specification of all
 * others.
 *
 * @module
 */
import { hostArray } from "../../allocate.ts";
import { show } from "../../check.ts";
import * as adamW from "../../ops/adam_w/reference.ts";
import * as arithmetic from "../../ops/arithmetic/reference.ts";
import * as attention from "../../ops/attention/reference.ts";
import * as axes from "../../ops/axes/reference.ts";
import * as batch from "../../ops/batch/reference.ts";
import * as clip from "../../ops/clip/reference.ts";
import * as crossEntropy from "../../ops/cross_entropy/reference.ts";
import * as dropout from "../../ops/dropout/reference.ts";
import * as elementwise from "../../ops/elementwise/reference.ts";
import * as embedding from "../../ops/embedding/reference.ts";
import * as exponential from "../../ops/exponential/reference.ts";
import * as l2Normalize from "../../ops/l2_normalize/reference.ts";
import * as layerNorm from "../../ops/layer_norm/reference.ts";
import * as linear from "../../ops/linear/reference.ts";
import * as lstm from "../../ops/lstm/reference.ts";
import * as matmul from "../../ops/matmul/reference.ts";
import * as meanSquaredError from "../../ops/mean_squared_error/reference.ts";
import * as reduce from "../../ops/reduce/reference.ts";
import * as rotary from "../../ops/rotary/reference.ts";
import * as sample from "../../ops/sample/reference.ts";
import * as shiftTime from "../../ops/shift_time/reference.ts";
import * as softmax from "../../ops/softmax/reference.ts";
import * as wkv from "../../ops/wkv/reference.ts";
import { checkNames, type Names } from "../../names.ts";
import type { Backend, Floats } from "../../tensor.ts";
import { DeviceBackend } from "../device_backend.ts";
import type { Kernels } from "../kernels.ts";

const kernels: Kernels<Floats> = {
  ...adamW,
  ...arithmetic,
  ...attention,
  ...axes,
  ...batch,
  ...clip,
  ...crossEntropy,
  ...dropout,
  ...elementwise,
  ...embedding,
  ...exponential,
  ...l2Normalize,
  ...layerNorm,
  ...linear,
  ...lstm,
  ...matmul,
  ...meanSquaredError,
  ...reduce,
  ...rotary,
  ...sample,
  ...shiftTime,
  ...softmax,
  ...wkv,
};

/** Options of a reference backend. */
export interface ReferenceOptions {
  /** The element type of its tensors; default `"float32"`. Sums are in double precision in either case. */
  readonly precision?: "float32" | "float64" | undefined;
}

const optionNames: Names<ReferenceOptions> = { precision: 0 };

/**
 * A backend of plain TypeScript, the specification of all others.
 *
 * @param options `precision: "float64"` for checks to twelve digits
 * @returns a new backend, which counts its own bytes
 * @throws {TypeError} on another precision or an unknown option
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
  checkNames("create reference", options, optionNames);
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

/** The shared float32 reference, the default backend of tensors. It can't be disposed of. */
export const reference: Backend = Object.defineProperty(createReference(), Symbol.dispose, {
  value: () => {
    throw new TypeError(
      "Cannot dispose of reference: it must be a backend of one's own (createReference), current one is shared",
    );
  },
});
