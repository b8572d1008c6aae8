/**
 * What is measured: a WKV scan by one kernel, on one device.
 *
 * @module
 */
import { type Backend, read, tensor, wkv } from "@seqmix/seqmix";
import { clocked, type Timed } from "../measure/timer.ts";
import type { Inputs } from "./inputs.ts";
import { elementsOf, type Shape } from "./shapes.ts";

/** A kernel, ready to run at one shape. */
export interface Prepared extends Timed {
  /** Runs it, and ends when the result is there. */
  run(): void | Promise<void>;
  /** The result of the last run that is checked; null of what computes no scan. */
  output(): Promise<Float32Array> | null;
  free(): void;
}

/** A way of computing the scan. */
export interface WkvKernel {
  readonly backend: string;
  /**
   * `serial`, `chunked`, each alone or `+ gradient`, or `copy`: no scan, but the most that the device's memory gives.
   */
  readonly kernel: string;
  /** What is checked: the scan's output, or the gradient of the keys. */
  readonly checked: "y" | "gKey";
  /** About what a run takes for each element, in ns, of all that is not memory alone. */
  readonly nsPerElement: number;
  /** Why this device can't hold the tensors of a shape; null if it can. */
  refusal(shape: Shape): string | null;
  /** The bytes that every kernel for the same has to read and write. */
  nominalBytes(shape: Shape): number;
  /** The bytes that a run really reads and writes. */
  trafficBytes(shape: Shape): number;
  prepare(shape: Shape, inputs: Inputs): Prepared;
}

/** `webgpu chunked` */
export function labelOf({ backend, kernel }: WkvKernel): string {
  return `${backend} ${kernel}`;
}

/** What every scan has to move: key and value in, y out. */
export function scanBytes(shape: Shape): number {
  return 12 * elementsOf(shape);
}

/** What a scan moves that goes through the steps once: that, and the state in and out. */
export function serialBytes(shape: Shape): number {
  return scanBytes(shape) + 2 * 16 * shape.batch * shape.channels;
}

/** The scan of a backend that computes on the CPU, as the library's users call it. */
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
