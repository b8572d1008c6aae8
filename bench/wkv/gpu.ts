/**
 * The WKV scans of a GPU, each by itself, and a copy for comparison.
 *
 * @module
 */
import {
  describeAdapter,
  isSoftware,
  requestAdapter,
  requestDevice,
} from "../../src/backends/webgpu/adapter.ts";
import { type GpuBlock, GpuQueue } from "../../src/backends/webgpu/gpu.ts";
import { GpuPool } from "../../src/backends/webgpu/pool.ts";
import { bindings, each, groupsOfEach } from "../../src/backends/webgpu/wgsl.ts";
import { wkvChunked } from "../../src/ops/wkv/chunked.ts";
import { wkvSerial } from "../../src/ops/wkv/serial.ts";
import { bestChunk } from "../../src/ops/wkv/shader.ts";
import { serialBytes, type WkvKernel } from "./kernel.ts";
import { elementsOf, type Shape } from "./shapes.ts";
import { Stopwatch } from "./stopwatch.ts";

/** A GPU and its kernels. */
export interface Bench {
  readonly adapter: string;
  /** Whether the times are the GPU's own, or those of waiting for it. */
  readonly hasClock: boolean;
  readonly kernels: readonly WkvKernel[];
  [Symbol.dispose](): void;
}

/** What a run takes on a CPU that acts as a GPU, and what it takes at the most on a GPU, for each element. */
const softwareNs = 10, gpuNs = 0.1;
/** Runs are put behind one another until they take as long, so that what surrounds them doesn't count. */
const sampleMs = 4;
const mostRuns = 128;

/**
 * Opens the GPU.
 *
 * @throws {Error} (as a rejection) with the reason where there is none
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

interface Scan {
  readonly trafficBytes: (shape: Shape, limits: GPUSupportedLimits) => number;
  readonly dispatch: (queue: GpuQueue, blocks: Blocks, shape: Shape) => void;
}

type Blocks = readonly [
  y: GpuBlock,
  nextState: GpuBlock,
  decay: GpuBlock,
  bonus: GpuBlock,
  key: GpuBlock,
  value: GpuBlock,
  state: GpuBlock,
];

const copy = bindings({ sizes: ["size"], outputs: ["y: vec4f"], inputs: ["x: vec4f"] }) +
  each("y[i] = x[i];");

const scans: Readonly<Record<string, Scan>> = {
  serial: {
    trafficBytes: serialBytes,
    dispatch: (queue, blocks, { batch, length, channels }) =>
      wkvSerial(queue, ...blocks, batch, length, channels),
  },
  chunked: {
    trafficBytes: chunkedBytes,
    dispatch: (queue, blocks, { batch, length, channels }) =>
      wkvChunked(queue, ...blocks, batch, length, channels, bestChunk(batch, channels, length, queue.limits)),
  },
  copy: {
    trafficBytes: (shape) => 8 * elementsOf(shape),
    dispatch(queue, [y, , , , key], shape) {
      const size = elementsOf(shape) / 4;
      const workgroups = groupsOfEach(size, queue.limits);
      queue.dispatch({ code: copy, outputs: [y], inputs: [key], sizes: [size], workgroups });
    },
  },
};

/** The steps of all chunks but the last are read twice, and the sums of each are written twice and read three times. */
function chunkedBytes(shape: Shape, limits: GPUSupportedLimits): number {
  const { batch, length, channels } = shape;
  const chunk = bestChunk(batch, channels, length, limits);
  const reduced = Math.ceil(length / chunk) - 1;
  return serialBytes(shape) + batch * channels * reduced * (8 * chunk + 5 * 16);
}

function gpuKernel(
  kernel: string,
  { trafficBytes, dispatch }: Scan,
  device: GPUDevice,
  stopwatch: Stopwatch,
  nsPerElement: number,
): WkvKernel {
  const { limits } = device;
  return {
    backend: "webgpu",
    kernel,
    nsPerElement,
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
      const y = pool.take(key.length), nextState = pool.take(state.length);
      const blocks: Blocks = [y, nextState, put(decay), put(bonus), put(key), put(value), put(state)];
      const submit = (times: number) => {
        for (let i = 0; i < times; i++) dispatch(queue, blocks, shape);
        queue.submit();
      };
      let runs = 0;
      return {
        async run() {
          submit(1);
          await queue.read(nextState, 1);
        },
        async time() {
          if (runs === 0) {
            const once = await stopwatch.time(() => submit(1));
            runs = Math.min(mostRuns, Math.ceil(sampleMs / once));
          }
          return await stopwatch.time(() => submit(runs)) / runs;
        },
        output: () => kernel === "copy" ? null : queue.read(y, key.length),
        free() {
          queue.dispose();
          pool.dispose();
        },
      };
    },
  };
}
