/**
 * The GPU kernels that are measured: the WKV scans, the scans with their gradients, and a copy.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../src/backends/webgpu/gpu.ts";
import { bindings, each, runEach } from "../../src/backends/webgpu/wgsl.ts";
import { wkvChunked } from "../../src/ops/wkv/chunked.ts";
import { wkvChunkedBackward } from "../../src/ops/wkv/chunked_backward.ts";
import { stepsAtOnce, wkvSerial } from "../../src/ops/wkv/serial.ts";
import { bestChunk } from "../../src/ops/wkv/shader.ts";
import { scanBytes, serialBytes, type WkvKernel } from "./kernel.ts";
import { elementsOf, type Shape } from "./shapes.ts";

/** A way to compute the scan. */
export interface Scan extends Pick<WkvKernel, "nominalBytes"> {
  /** The work relative to that of the scan alone, approximately. */
  readonly work: number;
  readonly trafficBytes: (shape: Shape, limits: GPUSupportedLimits) => number;
  readonly dispatch: (gpu: Gpu, blocks: ScanBlocks, gradient: GradientBlocks | null, shape: Shape) => void;
  /** Whether it needs the blocks of the gradient. */
  readonly gradient: boolean;
}

/** y, the next state; decay, bonus, key, value, state. */
export type ScanBlocks = readonly [GpuBlock, GpuBlock, GpuBlock, GpuBlock, GpuBlock, GpuBlock, GpuBlock];

/** The gradients of decay, bonus, key, value and state; those of y and of the last state. */
export type GradientBlocks = ScanBlocks;

const copy = bindings({ sizes: ["size"], outputs: ["y: vec4f"], inputs: ["x: vec4f"] }) +
  each("y[i] = x[i];");

const serial: Scan = {
  work: 1,
  gradient: false,
  nominalBytes: scanBytes,
  trafficBytes: serialBytes,
  dispatch: (gpu, blocks, _, { batch, length, channels }) =>
    wkvSerial(gpu, ...blocks, batch, length, channels),
};

const chunked: Scan = {
  work: 1,
  gradient: false,
  nominalBytes: scanBytes,
  trafficBytes: chunkedBytes,
  dispatch: (gpu, blocks, _, shape) =>
    wkvChunked(gpu, ...blocks, shape.batch, shape.length, shape.channels, chunkAt(shape, gpu.limits)),
};

/** By name; `chunked…` is compared with `serial…`. */
export const scans: Readonly<Record<string, Scan>> = {
  serial,
  chunked,
  "serial + gradient": withGradient(serial, ({ length }) => Math.min(length, stepsAtOnce)),
  "chunked + gradient": withGradient(chunked, chunkAt),
  copy: {
    work: 1,
    gradient: false,
    nominalBytes: (shape) => 8 * elementsOf(shape),
    trafficBytes: (shape) => 8 * elementsOf(shape),
    dispatch(gpu, [y, , , , key], _, shape) {
      runEach(gpu, copy, [y], [key], [elementsOf(shape) / 4]);
    },
  },
};

function chunkAt({ batch, length, channels }: Shape, limits: GPUSupportedLimits): number {
  return bestChunk(batch, channels, length, limits);
}

/** The scan followed by its gradient in chunks. */
function withGradient(scan: Scan, chunkAt: (shape: Shape, limits: GPUSupportedLimits) => number): Scan {
  return {
    work: 4,
    gradient: true,
    // The bytes of the scan; key, value and the gradient of y in, and those of key and value out.
    nominalBytes: (shape) => scanBytes(shape) + 20 * elementsOf(shape),
    trafficBytes: (shape, limits) =>
      scan.trafficBytes(shape, limits) + gradientBytes(shape, chunkAt(shape, limits)),
    dispatch(gpu, blocks, gradient, shape) {
      scan.dispatch(gpu, blocks, null, shape);
      const [, , ...inputs] = blocks;
      const chunk = chunkAt(shape, gpu.limits);
      wkvChunkedBackward(gpu, ...gradient!, ...inputs, shape.batch, shape.length, shape.channels, chunk);
    },
  };
}

/** The steps of all chunks but the last are read twice; the sums of each are written twice and read three times. */
function chunkedBytes(shape: Shape, limits: GPUSupportedLimits): number {
  return serialBytes(shape) + carriesBytes(shape, chunkAt(shape, limits));
}

function carriesBytes({ batch, length, channels }: Shape, chunk: number): number {
  return batch * channels * (Math.ceil(length / chunk) - 1) * (8 * chunk + 5 * 16);
}

/**
 * The carries again; then key, value and gy are read twice, the gradients of key and value are written, and one
 * state in eight is written and read. For each chunk, its adjoint is written twice and read three times, its parts
 * once each.
 */
function gradientBytes(shape: Shape, chunk: number): number {
  const { batch, length, channels } = shape;
  const chunks = Math.ceil(length / chunk);
  return carriesBytes(shape, chunk) + batch * channels * (24 + 8 + 4) * length +
    batch * channels * chunks * (5 * 16 + 2 * 8);
}
