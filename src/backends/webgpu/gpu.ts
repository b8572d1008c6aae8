/**
 * A WebGPU device for kernels: buffers, and dispatches that are batched into submissions.
 *
 * @module
 */
import { DeviceLostError } from "./device_lost_error.ts";
import { type Pipeline, Pipelines } from "./pipelines.ts";
import type { GpuPool } from "./pool.ts";
import { Slots } from "./slots.ts";

/** A block of GPU memory, of 32-bit floats. */
export interface GpuBlock {
  readonly buffer: GPUBuffer;
  /** Unique among the buffers of a device; part of the keys of cached bind groups. */
  readonly id: number;
}

/** One dispatch of a shader. */
export interface Dispatch {
  /**
   * WGSL with an entry point `main`. Its bindings in group 0 are: 0 the uniform `params`, a struct of the sizes as
   * u32 and then the constants as f32; from 1 on the outputs (storage, read_write), then the inputs (storage,
   * read), then the scalars (uniform). The text is also the key of the cached pipeline, so it should depend on
   * little but the device.
   */
  readonly code: string;
  readonly outputs: readonly GpuBlock[];
  readonly inputs: readonly GpuBlock[];
  /** Blocks of a single number. They do not count as storage buffers, of which a device may allow only eight. */
  readonly scalars?: readonly GpuBlock[] | undefined;
  readonly sizes: readonly number[];
  readonly constants?: readonly number[];
  /** The number of workgroups in x, y and z. */
  readonly workgroups: readonly [x: number, y?: number, z?: number];
}

/** A dispatch that can be repeated. */
export interface Prepared {
  readonly run: Dispatch;
  readonly pipeline: Pipeline;
  readonly blocks: GpuBlock[];
  /** For each block, its index among the kernel's arguments, or -1. */
  readonly arguments: readonly number[];
  bindGroup: GPUBindGroup;
  offset: number;
  /** The values of the two counters of resets when offset and bind group were valid. */
  uniformsCleared: number;
  groupsCleared: number;
}

/** The first numbers of a block. */
interface Part {
  readonly block: GpuBlock;
  readonly size: number;
}

/** Numbers that must be 0, and the error to throw for one that is not. */
interface Expectation extends Part {
  readonly errorAt: (index: number) => Error;
}

/** The interface that the operations' kernels use. */
export interface Gpu {
  readonly limits: GPUSupportedLimits;
  /** Appends a dispatch, which sees the results of those before it. */
  dispatch(run: Dispatch): void;
  /** Provides scratch memory of `size` floats, with any contents, to the dispatches of `body`. */
  withScratch(size: number, body: (scratch: GpuBlock) => void): void;
  /** A block of constant numbers for kernels, created when its name is first requested. */
  table(name: string, make: () => Uint32Array<ArrayBuffer>): GpuBlock;
}

/** A submission costs as much as about eighty dispatches; larger ones leave the GPU idle while they are collected. */
const mostDispatches = 256;
/** A driver that computes on the CPU does so during submission, which blocks the event loop. */
const mostDispatchesOfSoftware = 16;
/**
 * The number of slots for uniform values and for small uploads, and the largest small upload in words; a larger one
 * is a submission of its own.
 */
const slots = 512, mostWords = 1024;
/** The most expectations that wait for the next read; more are read separately. */
const mostExpected = 16;
/** Limits bind groups, since prompts of new lengths keep creating new combinations of buffers. */
const mostBindGroups = 1024;

/** Batches dispatches into a compute pass until they are submitted. */
export class GpuQueue implements Gpu {
  readonly device: GPUDevice;
  readonly limits: GPUSupportedLimits;
  readonly #pool: GpuPool;
  readonly #pipelines: Pipelines;
  /** By pipeline, then by the buffers' ids. */
  readonly #bindGroups = new Map<Pipeline, Map<string, GPUBindGroup>>();
  readonly #tables = new Map<string, GpuBlock>();
  /**
   * Uniform values keep their slots while there is space, because most dispatches of a step repeat those of the
   * step before.
   */
  readonly #uniforms: Slots;
  /** Offsets of uniform values, by value. */
  readonly #offsets = new Map<string, number>();
  readonly #uploads: Slots;
  /** The number of times that uniform values and bind groups were discarded. */
  #uniformsCleared = 0;
  #groupsCleared = 0;
  /** The dispatches of the kernel that {@linkcode prepare} runs, and its arguments. */
  #preparing: Prepared[] | null = null;
  #preparingArguments: readonly unknown[] = [];
  #dispatches = 0;
  readonly #software: boolean;
  readonly #mostDispatches: number;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  /** The reason why the device can't be used any more. */
  #ended: Error | null = null;
  /** The first error that no read has reported yet. */
  #failure: Error | null = null;
  #expected: Expectation[] = [];
  /** Pending reads of expectations only. */
  readonly #checks = new Set<Promise<void>>();
  /** Functions that reject the pending reads. */
  readonly #waiting = new Set<(reason: Error) => void>();

  constructor(device: GPUDevice, pool: GpuPool, software = false) {
    this.device = device;
    this.#software = software;
    this.#mostDispatches = software ? mostDispatchesOfSoftware : mostDispatches;
    this.limits = device.limits;
    this.#pool = pool;
    this.#pipelines = new Pipelines(device);
    this.#uniforms = new Slots(device, slots, GPUBufferUsage.UNIFORM);
    this.#uploads = new Slots(device, slots, GPUBufferUsage.COPY_SRC);
    device.lost.then(({ reason, message }) => {
      this.#end(
        new DeviceLostError(
          `Cannot use webgpu: its device must be alive, current device was lost (${reason}: ${message})`,
        ),
      );
    });
    device.addEventListener("uncapturederror", this.#onError);
  }

  dispatch(run: Dispatch): void {
    this.check();
    if (run.workgroups.includes(0)) return;
    const { outputs, inputs, scalars = [] } = run;
    const pipeline = this.#pipelines.get(run.code, outputs.length, inputs.length, scalars.length);
    const blocks = [...outputs, ...inputs, ...scalars];
    const bindGroup = this.#bindGroup(pipeline, blocks);
    const offset = this.#uniformOffset(run);
    this.#preparing?.push({
      run,
      pipeline,
      blocks,
      arguments: blocks.map((block) => this.#preparingArguments.indexOf(block)),
      bindGroup,
      offset,
      uniformsCleared: this.#uniformsCleared,
      groupsCleared: this.#groupsCleared,
    });
    this.#encode(run, pipeline, bindGroup, offset);
  }

  #encode({ workgroups }: Dispatch, { pipeline }: Pipeline, bindGroup: GPUBindGroup, offset: number): void {
    this.#pass ??= this.#commands().beginComputePass();
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, bindGroup, [offset]);
    this.#pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    if (++this.#dispatches === this.#mostDispatches) this.submit();
  }

  /**
   * Runs a kernel on these arguments. Returns its dispatches for {@linkcode dispatchAgain}, or null if it used
   * scratch memory, which is reused afterwards.
   */
  prepare(kernel: () => void, args: readonly unknown[]): readonly Prepared[] | null {
    const prepared: Prepared[] = this.#preparing = [];
    this.#preparingArguments = args;
    // With equal arguments, the argument of a dispatch is ambiguous.
    const own = args.filter((arg) => typeof arg === "object" && arg !== null);
    try {
      kernel();
      return this.#preparing === null || new Set(own).size < own.length ? null : prepared;
    } finally {
      this.#preparing = null;
    }
  }

  /** Repeats a dispatch with the blocks among these arguments; null: with the same blocks as before. */
  dispatchAgain(prepared: Prepared, args: readonly unknown[] | null): void {
    this.check();
    const { run, pipeline, blocks } = prepared;
    if (args !== null) {
      for (let i = 0; i < blocks.length; i++) {
        const argument = prepared.arguments[i];
        if (argument >= 0) blocks[i] = args[argument] as GpuBlock;
      }
    }
    if (args !== null || prepared.groupsCleared !== this.#groupsCleared) {
      prepared.bindGroup = this.#bindGroup(pipeline, blocks);
      prepared.groupsCleared = this.#groupsCleared;
    }
    if (prepared.uniformsCleared !== this.#uniformsCleared) {
      prepared.offset = this.#uniformOffset(run);
      prepared.uniformsCleared = this.#uniformsCleared;
    }
    this.#encode(run, pipeline, prepared.bindGroup, prepared.offset);
  }

  withScratch(size: number, body: (scratch: GpuBlock) => void): void {
    this.#preparing = null;
    const scratch = this.#pool.take(size);
    try {
      body(scratch);
    } finally {
      // The next user of the block writes to it after the dispatches of this body.
      this.#pool.give(scratch, size);
    }
  }

  table(name: string, make: () => Uint32Array<ArrayBuffer>): GpuBlock {
    let block = this.#tables.get(name);
    if (block === undefined) {
      const words = make();
      block = this.#pool.take(words.length);
      this.write(block, words);
      this.#tables.set(name, block);
    }
    return block;
  }

  /** Writes numbers, or words of any meaning, after everything that was dispatched so far. */
  write(block: GpuBlock, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): void {
    this.check();
    // Deno ends the process on a write of no bytes.
    if (data.length === 0) return;
    if (data.length > mostWords) {
      // The queue writes before commands that are submitted later, so submit the earlier ones first.
      this.submit();
      this.device.queue.writeBuffer(block.buffer, 0, data);
      return;
    }
    if (!this.#uploads.fits(data.length)) this.submit();
    const offset = this.#uploads.put(new Uint32Array(data.buffer, data.byteOffset, data.length));
    this.#endPass();
    this.#commands().copyBufferToBuffer(this.#uploads.buffer, offset, block.buffer, 0, data.byteLength);
  }

  /** Reads numbers after everything that was dispatched so far, and checks the expectations. */
  async read(block: GpuBlock, size: number): Promise<Float32Array> {
    this.check();
    if (size === 0) return new Float32Array();
    const checks = [...this.#checks];
    const { numbers, failure } = await this.#readBack([{ block, size }]);
    await Promise.all(checks);
    if (failure !== null) throw failure;
    this.#throwFailure();
    return numbers;
  }

  /** Makes the next read throw the error for the first number of a block that is not 0. */
  expectZeros(block: GpuBlock, size: number, errorAt: (index: number) => Error): void {
    this.check();
    if (size === 0) return;
    const copy = this.#pool.take(size);
    this.#endPass();
    this.#commands().copyBufferToBuffer(block.buffer, 0, copy.buffer, 0, 4 * size);
    this.#expected.push({ block: copy, size, errorAt });
    if (this.#expected.length <= mostExpected) return;
    const check = this.#readBack([]).then(
      ({ failure }) => {
        this.#failure ??= failure;
      },
      (error) => {
        this.#failure ??= error;
      },
    ).finally(() => this.#checks.delete(check));
    this.#checks.add(check);
  }

  /** Submits the collected commands. */
  submit(): void {
    if (this.#encoder === null) return;
    this.#endPass();
    this.#uniforms.write();
    this.#uploads.write();
    this.device.queue.submit([this.#encoder.finish()]);
    this.#encoder = null;
    this.#dispatches = 0;
    this.#uploads.clear();
  }

  /**
   * Submits the commands of a part of a program, after which the event loop may turn, if they are computed during the
   * submission: otherwise all parts would be computed at once, after the last.
   */
  submitPart(): void {
    if (this.#software) this.submit();
  }

  /** Releases all references to unused buffers, before they are destroyed. */
  letGo(): void {
    this.submit();
    this.#bindGroups.clear();
    this.#groupsCleared++;
  }

  /** Throws the reason if the device can't be used any more. */
  check(): void {
    if (this.#ended !== null) throw this.#ended;
  }

  dispose(): void {
    this.#end(new TypeError("Cannot use webgpu: backend must be open, current webgpu is disposed"));
    this.device.removeEventListener("uncapturederror", this.#onError);
    this.#endPass();
    this.#encoder = null;
    this.#bindGroups.clear();
    this.#uniforms.buffer.destroy();
    this.#uploads.buffer.destroy();
  }

  /**
   * Keeps errors that the device reports long after a command, so that the next read throws them instead of the
   * console printing them.
   */
  // The type is unknown because Event differs between the type libraries that a project may use.
  readonly #onError = (event: unknown): void => {
    const { error: { message } } = event as GPUUncapturedErrorEvent;
    (event as GPUUncapturedErrorEvent).preventDefault();
    this.#failure ??= new Error(
      `Cannot compute on webgpu: commands must be valid, current error is ${message}`,
    );
  };

  #end(reason: Error): void {
    this.#ended ??= reason;
    this.#expected = [];
    for (const reject of this.#waiting) reject(reason);
    this.#waiting.clear();
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure;
  }

  /** Reads numbers together with all expectations; returns the numbers and the first error. */
  async #readBack(wanted: readonly Part[]): Promise<{ numbers: Float32Array; failure: Error | null }> {
    const expected = this.#expected;
    this.#expected = [];
    const own = bytesOf(wanted), bytes = own + bytesOf(expected);
    const staging = this.#pool.takeStaging(bytes);
    this.#endPass();
    let offset = 0;
    for (const { block, size } of [...wanted, ...expected]) {
      this.#commands().copyBufferToBuffer(block.buffer, 0, staging, offset, 4 * size);
      offset += 4 * size;
    }
    this.submit();
    // The next user of these blocks writes to them after the commands above.
    for (const { block, size } of expected) this.#pool.give(block, size);
    await this.#map(staging, bytes);
    const mapped = staging.getMappedRange(0, bytes);
    const numbers = new Float32Array(mapped.slice(0, own));
    let failure: Error | null = null, at = own;
    for (const { size, errorAt } of expected) {
      const wrong = new Float32Array(mapped, at, size).findIndex((number) => number !== 0);
      if (wrong >= 0) failure ??= errorAt(wrong);
      at += 4 * size;
    }
    staging.unmap();
    this.#pool.giveStaging(staging);
    return { numbers, failure };
  }

  /** Waits until a buffer is mapped; throws the reason if it never will be. */
  async #map(staging: GPUBuffer, bytes: number): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.add(reject);
        // After the device is lost, a runtime may reject, resolve, or do neither.
        staging.mapAsync(GPUMapMode.READ, 0, bytes).then(resolve, reject).finally(() =>
          this.#waiting.delete(reject)
        );
      });
      this.check();
    } catch (error) {
      this.#pool.destroyStaging(staging);
      await this.#explanation();
      this.check();
      this.#throwFailure();
      throw error;
    }
  }

  /** Waits up to half a second for the reason of a failed mapping, which browsers report a little later. */
  async #explanation(): Promise<void> {
    if (this.#ended !== null || this.#failure !== null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([this.device.lost, new Promise((resolve) => timer = setTimeout(resolve, 500))]);
    clearTimeout(timer);
  }

  #commands(): GPUCommandEncoder {
    return this.#encoder ??= this.device.createCommandEncoder();
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
  }

  #uniformOffset({ sizes, constants = [] }: Dispatch): number {
    const key = `${sizes.join()} ${constants.join()}`;
    let offset = this.#offsets.get(key);
    if (offset === undefined) {
      // Uniforms are u32. Existing elements fit, but an empty tensor may have any sizes.
      if (sizes.some((size) => size >= 2 ** 32)) {
        throw new RangeError(
          `Cannot compute on webgpu: sizes must be below 2 to the 32, current sizes are ${sizes.join(", ")}`,
        );
      }
      if (!this.#uniforms.fits(1)) {
        this.submit();
        this.#uniforms.clear();
        this.#offsets.clear();
        this.#uniformsCleared++;
      }
      offset = this.#uniforms.put(sizes, constants);
      this.#offsets.set(key, offset);
    }
    return offset;
  }

  #bindGroup(pipeline: Pipeline, blocks: readonly GpuBlock[]): GPUBindGroup {
    let known = this.#bindGroups.get(pipeline);
    if (known === undefined) this.#bindGroups.set(pipeline, known = new Map());
    const key = blocks.map((block) => block.id).join();
    let bindGroup = known.get(key);
    if (bindGroup === undefined) {
      bindGroup = this.device.createBindGroup({
        layout: pipeline.layout,
        entries: [
          { binding: 0, resource: { buffer: this.#uniforms.buffer, size: this.#uniforms.bytes } },
          ...blocks.map(({ buffer }, i) => ({ binding: i + 1, resource: { buffer } })),
        ],
      });
      if (known.size === mostBindGroups) known.clear();
      known.set(key, bindGroup);
    }
    return bindGroup;
  }
}

function bytesOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { size }) => sum + 4 * size, 0);
}
