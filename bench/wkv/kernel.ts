/**
 * The kernels that are measured: a WKV scan by one kernel, on one device.
 *
 * @module
 */
import { type Backend, read, tensor, wkv } from "@seqmix/seqmix";
import { clocked, type Timed } from "../measure/timer.ts";
import type { Inputs } from "./inputs.ts";
import { elementsOf, type Shape } from "./shapes.ts";

/** A kernel that is prepared for one shape. */
export interface Prepared extends Timed {
  /** Runs it until the result is available. */
  run(): void | Promise<void>;
  /** The result of the last run that is checked; null if it computes no scan. */
  output(): Promise<Float32Array> | null;
  free(): void;
}

/** An implementation of the scan. */
export interface WkvKernel {
  readonly backend: string;
  /**
   * `serial` or `chunked`, each alone or with `+ gradient`; or `copy`: no scan, but the limit of the device's
   * memory.
   */
  readonly kernel: string;
  /** The result that is checked: the scan's output, or the gradient of the keys. */
  readonly checked: "y" | "gKey";
  /** An estimate of the time for each element, in ns. */
  readonly nsPerElement: number;
  /** The reason why this device can't hold the tensors of a shape; null if it can. */
  refusal(shape: Shape): string | null;
  /** The bytes that every implementation has to read and write. */
  nominalBytes(shape: Shape): number;
  /** The bytes that a run actually reads and writes. */
  trafficBytes(shape: Shape): number;
  prepare(shape: Shape, inputs: Inputs): Prepared;
}

/** `webgpu chunked` */
export function labelOf({ backend, kernel }: WkvKernel): string {
  return `${backend} ${kernel}`;
}

/** The bytes that every scan has to move: key and value in, y out. */
export function scanBytes(shape: Shape): number {
  return 12 * elementsOf(shape);
}

/** The bytes of a serial scan: these, and the state in and out. */
export function serialBytes(shape: Shape): number {
  return scanBytes(shape) + 2 * 16 * shape.batch * shape.channels;
}

/** The scan of a backend that computes on the CPU, through the public function. */
export function onCpu(backend: Backend, nsPerElement: number): WkvKernel {
  return {
    backend: backend.name,
    kernel: "serial",
    checked: "y",
    nsPerElement,
    refusal: () => null,
    nominalBytes: scanBytes,
    trafficBytes: serialBytes,
    prepare({ batch, length, channels }, inputs) {
      const put = (data: Float32Array, ...shape: number[]) => tensor(data, shape, backend);
      const params = { decay: put(inputs.decay, channels), bonus: put(inputs.bonus, channels) };
      const x = {
        key: put(inputs.key, batch, length, channels),
        value: put(inputs.value, batch, length, channels),
      };
      const state = put(inputs.state, batch, 4, channels);
      let result = wkv(params, x, state);
      const run = () => {
        backend.free(result);
        result = wkv(params, x, state);
      };
      return {
        run,
        ...clocked((times) => {
          for (let i = 0; i < times; i++) run();
        }),
        output: () => read(result.y),
        free: () => backend.free([params, x, state, result]),
      };
    },
  };
}
