/**
 * A WebGPU device as kernels see it: buffers, and dispatches that are collected and submitted together.
 *
 * @module
 */
import type { GpuPool } from "./pool.ts";

/** A block of GPU memory, of 32-bit floats. */
export interface GpuBlock {
  readonly buffer: GPUBuffer;
  /** Tells the buffers of one device apart, for the cache of bind groups. */
  readonly id: number;
}

/** One run of a shader. */
export interface Dispatch {
  /**
   * WGSL with an entry point `main`. Its bindings in group 0 are: 0 the uniform `params`, a struct of the sizes as u32
   * and then the constants as f32; from 1 on the outputs (storage, read_write), then the inputs (storage, read). The
   * text is also the key under which the compiled pipeline is kept, so it depends on little else than the device.
   */
  readonly code: string;
  readonly outputs: readonly GpuBlock[];
  readonly inputs: readonly GpuBlock[];
  readonly sizes: readonly number[];
  readonly constants?: readonly number[];
  /** How many workgroups in x, y and z. */
  readonly workgroups: readonly [x: number, y?: number, z?: number];
}

/** What the kernels of the operations are written against. */
export interface Gpu {
  readonly limits: GPUSupportedLimits;
  /** Puts a run of a shader behind those before it; it sees what they wrote. */
  dispatch(run: Dispatch): void;
  /** Lends memory of `size` floats, with any contents, to the dispatches that `body` makes. */
  withScratch(size: number, body: (scratch: GpuBlock) => void): void;
}

/** A device of ours was lost: its tensors are gone, and a new backend is needed. */
export class DeviceLostError extends Error {
  override readonly name = "DeviceLostError";
}

interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** By the ids of the buffers. */
  readonly bindGroups: Map<string, GPUBindGroup>;
}

/** How many dispatches go into one submission at most; each has its own slot for its uniform values. */
const slots = 1024;

/** Collects dispatches in one compute pass until they are submitted. */
export class GpuQueue implements Gpu {
  readonly device: GPUDevice;
  readonly limits: GPUSupportedLimits;
  readonly #pool: GpuPool;
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #uniforms: GPUBuffer;
  readonly #slotBytes: number;
  readonly #staged: Uint32Array<ArrayBuffer>;
  readonly #stagedFloats: Float32Array;
  #used = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  /** Why nothing can be computed any more. */
  #lost: DeviceLostError | null = null;
  /** The first error that no promise has told of yet. */
  #failure: Error | null = null;

  constructor(device: GPUDevice, pool: GpuPool) {
    this.device = device;
    this.limits = device.limits;
    this.#pool = pool;
    this.#slotBytes = Math.max(64, device.limits.minUniformBufferOffsetAlignment);
    this.#uniforms = device.createBuffer({
      size: slots * this.#slotBytes,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    this.#staged = new Uint32Array(slots * this.#slotBytes / 4);
    this.#stagedFloats = new Float32Array(this.#staged.buffer);
    device.lost.then((info) => {
      this.#lost ??= new DeviceLostError(
        `Cannot use webgpu: its device must be alive, current device was lost (${
          info.reason ?? "unknown"
        }: ${info.message})`,
      );
    });
    device.addEventListener("uncapturederror", (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      this.#failure ??= new Error(
        `Cannot compute on webgpu: commands must be valid, current error is ${error.message}`,
      );
    });
  }

  dispatch(run: Dispatch): void {
    this.check();
    if (run.workgroups.includes(0)) return;
    const { pipeline, layout, bindGroups } = this.#pipeline(run);
    const blocks = [...run.outputs, ...run.inputs];
    const key = blocks.map((block) => block.id).join();
    let bindGroup = bindGroups.get(key);
    if (bindGroup === undefined) {
      bindGroup = this.device.createBindGroup({
        layout,
        entries: [
          { binding: 0, resource: { buffer: this.#uniforms, size: this.#slotBytes } },
          ...blocks.map(({ buffer }, i) => ({ binding: i + 1, resource: { buffer } })),
        ],
      });
      // Prompts of ever new lengths make ever new combinations.
      if (bindGroups.size === 1024) bindGroups.clear();
      bindGroups.set(key, bindGroup);
    }
    const slot = this.#used++ * this.#slotBytes;
    this.#staged.set(run.sizes, slot / 4);
    if (run.constants !== undefined) this.#stagedFloats.set(run.constants, slot / 4 + run.sizes.length);
    this.#encoder ??= this.device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass();
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, bindGroup, [slot]);
    this.#pass.dispatchWorkgroups(...run.workgroups as [number, number, number]);
    if (this.#used === slots) this.submit();
  }

  withScratch(size: number, body: (scratch: GpuBlock) => void): void {
    const scratch = this.#pool.take(size);
    try {
      body(scratch);
    } finally {
      // Whoever takes the block next writes to it behind the dispatches of this body.
      this.#pool.give(scratch, size);
    }
  }

  /** Writes numbers behind everything that was dispatched so far. */
  write(block: GpuBlock, data: Float32Array<ArrayBuffer>): void {
    this.check();
    // A queue's writes happen before the commands that are submitted after them, so those before must go first.
    this.submit();
    this.device.queue.writeBuffer(block.buffer, 0, data);
  }

  /** Reads numbers behind everything that was dispatched so far. */
  async read(block: GpuBlock, size: number): Promise<Float32Array> {
    this.check();
    const bytes = 4 * size;
    if (bytes === 0) return new Float32Array();
    const staging = this.#pool.takeStaging(bytes);
    this.#pass?.end();
    this.#pass = null;
    this.#encoder ??= this.device.createCommandEncoder();
    this.#encoder.copyBufferToBuffer(block.buffer, 0, staging, 0, bytes);
    this.submit();
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, bytes);
    } catch (error) {
      staging.destroy();
      await Promise.resolve();
      this.check();
      throw error;
    }
    const numbers = new Float32Array(staging.getMappedRange(0, bytes).slice(0));
    staging.unmap();
    this.#pool.giveStaging(staging);
    this.check();
    return numbers;
  }

  /** Hands what was collected to the device. */
  submit(): void {
    if (this.#encoder === null) return;
    this.#pass?.end();
    if (this.#used > 0) {
      this.device.queue.writeBuffer(this.#uniforms, 0, this.#staged, 0, this.#used * this.#slotBytes / 4);
    }
    this.device.queue.submit([this.#encoder.finish()]);
    this.#encoder = null;
    this.#pass = null;
    this.#used = 0;
  }

  /** Throws what the device has reported since the last time. */
  check(): void {
    if (this.#lost !== null) throw this.#lost;
    if (this.#failure !== null) {
      const failure = this.#failure;
      this.#failure = null;
      throw failure;
    }
  }

  dispose(): void {
    this.#pass?.end();
    this.#encoder = null;
    this.#pass = null;
    this.#uniforms.destroy();
    this.#pipelines.clear();
  }

  #pipeline({ code, outputs, inputs }: Dispatch): Pipeline {
    const known = this.#pipelines.get(code);
    if (known !== undefined) return known;
    const visibility = GPUShaderStage.COMPUTE;
    const layout = this.device.createBindGroupLayout({
      entries: [
        { binding: 0, visibility, buffer: { type: "uniform", hasDynamicOffset: true } },
        ...outputs.map((_, i) => ({ binding: 1 + i, visibility, buffer: { type: "storage" as const } })),
        ...inputs.map((_, i) => ({
          binding: 1 + outputs.length + i,
          visibility,
          buffer: { type: "read-only-storage" as const },
        })),
      ],
    });
    const pipeline = this.device.createComputePipeline({
      layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: this.device.createShaderModule({ code }), entryPoint: "main" },
    });
    const made: Pipeline = { pipeline, layout, bindGroups: new Map() };
    this.#pipelines.set(code, made);
    return made;
  }
}
