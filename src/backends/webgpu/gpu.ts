/**
 * A WebGPU device as kernels see it: buffers, and dispatches that are collected and submitted together.
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
  /** Tells the buffers of one device apart, for the cache of bind groups. */
  readonly id: number;
}

/** One run of a shader. */
export interface Dispatch {
  /**
   * WGSL with an entry point `main`. Its bindings in group 0 are: 0 the uniform `params`, a struct of the sizes as u32
   * and then the constants as f32; from 1 on the outputs (storage, read_write), then the inputs (storage, read), then the
   * scalars (uniform). The text is also the key under which the compiled pipeline is kept, so it depends on little else
   * than the device.
   */
  readonly code: string;
  readonly outputs: readonly GpuBlock[];
  readonly inputs: readonly GpuBlock[];
  /** Blocks of a single number. They don't count among the storage buffers, of which a device may allow only eight. */
  readonly scalars?: readonly GpuBlock[] | undefined;
  readonly sizes: readonly number[];
  readonly constants?: readonly number[];
  /** How many workgroups in x, y and z. */
  readonly workgroups: readonly [x: number, y?: number, z?: number];
}

/** A run that is ready to be dispatched again. */
export interface Prepared {
  readonly run: Dispatch;
  readonly pipeline: Pipeline;
  readonly blocks: GpuBlock[];
  /** Of each block, which of the kernel's arguments it is; -1 for none. */
  readonly arguments: readonly number[];
  bindGroup: GPUBindGroup;
  offset: number;
  /** When the offset was right, and when the bind group was. */
  uniformsCleared: number;
  groupsCleared: number;
}

/** The first numbers of a block. */
interface Part {
  readonly block: GpuBlock;
  readonly size: number;
}

/** Numbers that must be 0, and what to throw where one is not. */
interface Expectation extends Part {
  readonly errorAt: (index: number) => Error;
}

/** What the kernels of the operations are written against. */
export interface Gpu {
  readonly limits: GPUSupportedLimits;
  /** Puts a run of a shader behind those before it; it sees what they wrote. */
  dispatch(run: Dispatch): void;
  /** Lends memory of `size` floats, with any contents, to the dispatches that `body` makes. */
  withScratch(size: number, body: (scratch: GpuBlock) => void): void;
  /** A block of numbers that a kernel always needs again, made when its name is first asked for. */
  table(name: string, make: () => Uint32Array<ArrayBuffer>): GpuBlock;
}

/** A submission costs as much as about eighty dispatches; many in one would leave the GPU idle while they are collected. */
const mostDispatches = 256;
/** A driver that computes on the CPU does so while commands are submitted, and nothing else gets its turn meanwhile. */
const mostDispatchesOfSoftware = 16;
/** How many slots there are: of uniform values, and of small uploads, of which a larger one is a submission of its own. */
const slots = 512, mostWords = 1024;
/** So many expectations wait for somebody's read; then they get one of their own. */
const mostExpected = 16;
/** Prompts of ever new lengths make ever new combinations of buffers. */
const mostBindGroups = 1024;

/** Collects dispatches in one compute pass until they are submitted. */
export class GpuQueue implements Gpu {
  readonly device: GPUDevice;
  readonly limits: GPUSupportedLimits;
  readonly #pool: GpuPool;
  readonly #pipelines: Pipelines;
  /** By pipeline, then by the ids of the buffers. */
  readonly #bindGroups = new Map<Pipeline, Map<string, GPUBindGroup>>();
  readonly #tables = new Map<string, GpuBlock>();
  /** Uniform values stay in their slots as long as there is room: most dispatches of a step are those of the step before. */
  readonly #uniforms: Slots;
  /** Where uniform values stand, by the values. */
  readonly #offsets = new Map<string, number>();
  readonly #uploads: Slots;
  /** How often uniform values and bind groups were thrown away. */
  #uniformsCleared = 0;
  #groupsCleared = 0;
  /** What the kernel that {@linkcode prepare} runs has dispatched, and its arguments. */
  #preparing: Prepared[] | null = null;
  #preparingArguments: readonly unknown[] = [];
  #dispatches = 0;
  readonly #mostDispatches: number;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  /** Why nothing can be computed any more. */
  #ended: Error | null = null;
  /** The first error that no read has told of yet. */
  #failure: Error | null = null;
  #expected: Expectation[] = [];
  /** Reads of expectations alone that are under way. */
  readonly #checks = new Set<Promise<void>>();
  /** Rejects the reads that wait. */
  readonly #waiting = new Set<(reason: Error) => void>();

  constructor(device: GPUDevice, pool: GpuPool, software = false) {
    this.device = device;
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
   * Runs a kernel on these arguments; returns what it dispatched, for {@linkcode dispatchAgain}, or null where it borrowed memory that
   * will be another's.
   */
  prepare(kernel: () => void, args: readonly unknown[]): readonly Prepared[] | null {
    const prepared: Prepared[] = this.#preparing = [];
    this.#preparingArguments = args;
    // Which of two equal ones a dispatch took can't be told.
    const own = args.filter((arg) => typeof arg === "object" && arg !== null);
    try {
      kernel();
      return this.#preparing === null || new Set(own).size < own.length ? null : prepared;
    } finally {
      this.#preparing = null;
    }
  }

  /** Dispatches a run again, on the blocks among these arguments now; null: on the same as before. */
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
      // Whoever takes the block next writes to it behind the dispatches of this body.
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

  /** Writes numbers, or words of any meaning, behind everything that was dispatched so far. */
  write(block: GpuBlock, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): void {
    this.check();
    // Deno ends the process when it is to write nothing.
    if (data.length === 0) return;
    if (data.length > mostWords) {
      // A queue's writes happen before the commands that are submitted after them, so those before must go first.
      this.submit();
      this.device.queue.writeBuffer(block.buffer, 0, data);
      return;
    }
    if (!this.#uploads.fits(data.length)) this.submit();
    const offset = this.#uploads.put(new Uint32Array(data.buffer, data.byteOffset, data.length));
    this.#endPass();
    this.#commands().copyBufferToBuffer(this.#uploads.buffer, offset, block.buffer, 0, data.byteLength);
  }

  /** Reads numbers behind everything that was dispatched so far, and sees what was expected of it. */
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

  /** Makes the next read throw the error of the first number of a block that is not 0. */
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

  /** Hands what was collected to the device. */
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

  /** Prepares for the end of buffers that wait for another use: nothing goes on holding them. */
  letGo(): void {
    this.submit();
    this.#bindGroups.clear();
    this.#groupsCleared++;
  }

  /** Throws why nothing can be computed any more, if that is so. */
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

  /** What the device says of commands long after they were given. The next read tells, instead of the console. */
  // Of unknown, because what an Event is differs between the type libraries that a project may have.
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

  /** Reads numbers, and with them all that is expected to be 0: the error of what is not. */
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
    // Whoever takes these blocks next writes to them behind the commands above.
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

  /** Waits until a buffer may be read, or for the reason why it will never be. */
  async #map(staging: GPUBuffer, bytes: number): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.add(reject);
        // Behind the end of the device a runtime may reject, or resolve, or never answer.
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

  /** Waits until the device says why a buffer can't be mapped, which browsers do a little later, but not for long. */
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
      // A uniform is a u32. What is held has fewer elements, but an empty tensor may have any sizes.
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
