/**
 * The WKV scans of a GPU, measured separately, and a copy for comparison.
 *
 * @module
 */
import {
  describeAdapter,
  isSoftware,
  requestAdapter,
  requestDevice,
} from "../../src/backends/webgpu/adapter.ts";
import { GpuQueue } from "../../src/backends/webgpu/gpu.ts";
import { GpuPool } from "../../src/backends/webgpu/pool.ts";
import type { WkvKernel } from "./kernel.ts";
import { type GradientBlocks, type Scan, type ScanBlocks, scans } from "./scans.ts";
import { elementsOf } from "./shapes.ts";
import { Stopwatch } from "./stopwatch.ts";

/** A GPU and its kernels. */
interface Bench {
  readonly adapter: string;
  /** Whether the GPU's own clock is used, or else the time of waiting for it. */
  readonly hasClock: boolean;
  readonly kernels: readonly WkvKernel[];
  [Symbol.dispose](): void;
}

/** Upper bounds on the time for an element, in ns: on a CPU that acts as a GPU, and on a GPU. */
const softwareNs = 10, gpuNs = 0.1;
/** The most runs in a sample: runs are queued back to back, so that overhead does not count. */
const mostRuns = 128;

/**
 * Opens the GPU.
 *
 * @throws {Error} (as a rejection) with the reason if there is none
 */
export async function openGpu(): Promise<Bench> {
  const adapter = await requestAdapter("high-performance");
  const device = await requestDevice(adapter);
  const stopwatch = new Stopwatch(device);
  const nsPerElement = isSoftware(adapter.info) ? softwareNs : gpuNs;
  const kernels = Object.entries(scans).map(([kernel, scan]) =>
    gpuKernel(kernel, scan, device, stopwatch, nsPerElement)
  );
  return {
    adapter: describeAdapter(adapter.info),
    hasClock: stopwatch.hasClock,
    kernels,
    [Symbol.dispose]() {
      stopwatch.dispose();
      device.destroy();
    },
  };
}

function gpuKernel(
  kernel: string,
  { work, gradient, nominalBytes, trafficBytes, dispatch }: Scan,
  device: GPUDevice,
  stopwatch: Stopwatch,
  nsPerElement: number,
): WkvKernel {
  const { limits } = device;
  return {
    backend: "webgpu",
    kernel,
    checked: gradient ? "gKey" : "y",
    nsPerElement: work * nsPerElement,
    nominalBytes,
    refusal(shape) {
      const most = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
      const bytes = 4 * elementsOf(shape);
      return bytes <= most ? null : `a tensor would have more than the ${most} bytes that the device allows`;
    },
    trafficBytes: (shape) => trafficBytes(shape, limits),
    prepare(shape, inputs) {
      const pool: GpuPool = new GpuPool(device, () => queue.letGo());
      const queue: GpuQueue = new GpuQueue(device, pool);
      const put = (data: Float32Array<ArrayBuffer>) => {
        const block = pool.take(data.length);
        queue.write(block, data);
        return block;
      };
      const { decay, bonus, key, value, state } = inputs;
      const takeFor = (data: Float32Array) => pool.take(data.length);
      const y = takeFor(key), nextState = takeFor(state);
      const blocks: ScanBlocks = [y, nextState, put(decay), put(bonus), put(key), put(value), put(state)];
      const gradientBlocks: GradientBlocks | null = !gradient ? null : [
        ...[takeFor(decay), takeFor(bonus), takeFor(key), takeFor(value), takeFor(state)] as const,
        ...[put(inputs.gradient), put(new Float32Array(state.length))] as const,
      ];
      const submit = (times: number) => {
        for (let i = 0; i < times; i++) dispatch(queue, blocks, gradientBlocks, shape);
        queue.submit();
      };
      return {
        async run() {
          submit(1);
          await queue.read(nextState, 1);
        },
        async time(times) {
          const runs = Math.min(mostRuns, times);
          return await stopwatch.time(() => submit(runs)) / runs;
        },
        output: () => kernel === "copy" ? null : queue.read(gradientBlocks?.[2] ?? y, key.length),
        free() {
          queue.dispose();
          pool.dispose();
        },
      };
    },
  };
}
