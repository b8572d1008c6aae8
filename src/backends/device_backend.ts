/**
 * Turns a device's memory and kernels into a backend: allocates outputs and passes arguments to kernels as the
 * operations' declarations specify. The public functions have checked the inputs.
 *
 * @module
 */
import { showShape } from "../check.ts";
import type { Engine } from "../engine.ts";
import type { Operation, Plan, ShapePlan, Source } from "../operation.ts";
import { Arena } from "../runtime/arena.ts";
import { shapeOf } from "../tracked_shape.ts";
import type { Recording } from "../runtime/recording.ts";
import type { Floats, MemoryUse, Tensor } from "../tensor.ts";
import { sizeOf } from "../tree.ts";
import type { Device, Kernels, Workspace } from "./kernels.ts";
import { type DeviceTensor, TensorStore } from "./tensor_store.ts";

const none: readonly number[] = [];
const reading = { action: "read" };

type Inputs = readonly (Tensor | undefined)[];
type Arguments<M> = (M | number | null)[];

/** What a backend derives from an operation. */
interface Prepared<M> {
  readonly operation: Operation;
  readonly plan: Plan;
  /**
   * The kernel's arguments, reused at every call: an array for each call would be most of the garbage that it
   * leaves.
   */
  readonly args: Arguments<M>;
  readonly scratchSize: ((...sizes: number[]) => number) | undefined;
  /** Whether it allocates a single result and nothing else. */
  readonly isSimple: boolean;
}

/** The implementation of {@linkcode Engine} for every device with memory and kernels. */
export class DeviceBackend<M> implements Engine {
  readonly name: string;
  readonly options: unknown;
  readonly workAtOnce: number;
  readonly #device: Device<M>;
  /** The device's kernels, or kernels that record their calls. */
  #kernels: Kernels<M>;
  #recording: Recording<M> | null = null;
  #recordingKernels: Kernels<M> | null = null;
  #arena: Arena<M> | null = null;
  /** By the operations' ids. */
  readonly #prepared: Prepared<M>[] = [];
  readonly #store: TensorStore<M>;
  readonly #workspace: Workspace<M>;

  constructor(device: Device<M>) {
    this.name = device.name;
    this.options = device.options;
    this.workAtOnce = device.workAtOnce;
    this.#device = device;
    this.#kernels = device.kernels;
    const store = this.#store = new TensorStore(this, device);
    const memory = (x: Tensor) => this.#memory(x);
    this.#workspace = {
      store,
      memory,
      call: (name, ...args) => (this.#kernels[name] as (...args: unknown[]) => void)(...args),
      copySteps: (y, start, x) => this.#copySteps(y, start, x),
      upload: (memory, data) => this.#upload(memory, data),
    };
  }

  /** The store of its tensors. */
  get store(): TensorStore<M> {
    return this.#store;
  }

  /** The device that computes. */
  get device(): Device<M> {
    return this.#device;
  }

  /** The memory of programs' temporaries. */
  get arena(): Arena<M> {
    return this.#arena ??= new Arena(this.#store);
  }

  /** Whether kernel calls are being recorded instead of run. */
  get isRecording(): boolean {
    return this.#recording !== null;
  }

  /** Runs `body` and records its kernel calls without computing anything. */
  record<R>(recording: Recording<M>, body: () => R): R {
    this.#recording = this.#store.watcher = recording;
    this.#kernels = this.#recordingKernels ??= recordingKernels(this.#device.kernels, () => this.#recording!);
    try {
      return body();
    } finally {
      this.#recording = this.#store.watcher = null;
      this.#kernels = this.#device.kernels;
    }
  }

  scope<R>(body: () => R): R {
    return this.#store.scope(body);
  }

  free(tree: unknown): void {
    this.#store.free(tree);
  }

  hold<A, R>(body: () => A, after: (result: A) => R): R {
    return this.#store.hold(body, after);
  }

  ownResults<T extends Tensor | null>(body: () => readonly T[], shared: readonly Tensor[] = []): T[] {
    const [results, isNew] = this.#store.watchMade(body);
    return results.map((t) =>
      t === null || isNew(t) || shared.includes(t) ? t : this.#copy(t) as Tensor as T
    );
  }

  #copy(x: Tensor): Tensor {
    const y = this.#store.make([...x.shape]), size = sizeOf(x.shape);
    this.#kernels.copyRows(y.memory, 0, size, this.#memory(x), 0, size, 1, size);
    return y;
  }

  memory(): MemoryUse {
    return this.#store.use();
  }

  resetPeak(): void {
    this.#store.resetPeak();
  }

  [Symbol.dispose](): void {
    this.#store.dispose();
  }

  upload(data: ArrayLike<number>, shape: readonly number[]): Tensor {
    const y = this.#store.make([...shape]);
    this.#upload(y.memory, data);
    return y;
  }

  #upload(memory: M, data: ArrayLike<number>): void {
    if (this.#recording === null) this.#device.upload(memory, data);
    else this.#recording.uploaded(memory, data);
  }

  download(x: Tensor, out?: Floats): Floats | Promise<Floats> {
    if (this.#recording !== null) {
      throw new TypeError(
        "Cannot read tensor: a function that is compiled must not look at its tensors' numbers, current one reads " +
          `a tensor of shape ${showShape(x.shape)}`,
      );
    }
    const t = this.#store.alive(x, reading), packed = this.#pack(t);
    const numbers = this.#device.download(packed.memory, sizeOf(x.shape), out);
    // Outside scopes nothing else would free the packed copy.
    if (packed !== t) this.#store.free(packed);
    return numbers;
  }

  expectZeros(x: Tensor, errorAt: (index: number) => Error): void {
    const memory = this.#memory(x), size = sizeOf(x.shape);
    if (this.#recording === null) this.expectZerosIn(memory, size, errorAt);
    else this.#recording.expected(memory, size, errorAt);
  }

  /** The same for the first numbers of a block. */
  expectZerosIn(memory: M, size: number, errorAt: (index: number) => Error): void {
    if (this.#device.expectZeros !== undefined) return this.#device.expectZeros(memory, size, errorAt);
    const numbers = this.#device.download(memory, size) as Floats;
    const wrong = numbers.findIndex((number) => number !== 0);
    if (wrong >= 0) throw errorAt(wrong);
  }

  reserveTime(batch: number, capacity: number, channels: number): Tensor {
    // A capacity of 0 is empty whatever the batch, so check here that a step can be appended.
    sizeOf([batch, channels]);
    return this.#store.makeCache([batch, 0, channels], capacity);
  }

  run(operation: Operation, inputs: Inputs, constants: readonly number[]): Tensor[] {
    const prepared = this.#prepared[operation.id] ??= this.#prepare(operation);
    if (!prepared.isSimple) return this.#runAny(prepared, inputs, constants);
    // Before the result is allocated, which nothing would free if an input is not alive.
    this.#fill(prepared, inputs, constants);
    const y = this.#make(prepared.plan.outputs[0]!, inputs);
    prepared.args[0] = y.memory;
    this.#call(prepared);
    return [y];
  }

  /** Runs an operation that allocates more than its result, in a scope so that a failure leaves nothing behind. */
  #runAny(prepared: Prepared<M>, inputs: Inputs, constants: readonly number[]): Tensor[] {
    if (this.#store.outsideScopes) return this.#store.scope(() => this.#runAny(prepared, inputs, constants));
    const { operation, plan: { outputs, argumentCount }, args, scratchSize } = prepared;
    if (operation.compute !== null) {
      for (const x of inputs) if (x !== undefined) this.#store.alive(x, operation);
      return operation.compute(this.#workspace, inputs as Tensor[], constants);
    }
    const results: DeviceTensor<M>[] = [];
    for (let i = 0; i < outputs.length; i++) {
      const shape = outputs[i], y = shape === null ? null : this.#make(shape, inputs);
      args[i] = y === null ? null : y.memory;
      if (y !== null) results.push(y);
    }
    const told = this.#fill(prepared, inputs, constants);
    if (scratchSize === undefined) {
      this.#call(prepared);
      return results;
    }
    const scratch = this.#store.makeScratch(
      scratchSize(...args.slice(told, argumentCount) as number[]),
    );
    // A null pointer tells the kernel that it has no scratch memory.
    args[argumentCount] = scratch === null ? null : scratch.memory;
    this.#call(prepared);
    if (scratch !== null) this.#store.free(scratch);
    return results;
  }

  /** Writes the arguments after the outputs; returns the index of the first size. */
  #fill({ operation, plan, args }: Prepared<M>, inputs: Inputs, constants: readonly number[]): number {
    const { inputs: places, outputs, sizes } = plan;
    let at = outputs.length;
    for (let i = 0; i < inputs.length; i++) {
      const place = places[i], x = inputs[i];
      if (!place.read) continue;
      if (x === undefined) args[at++] = null;
      else {
        const t = this.#store.alive(x, operation);
        args[at++] = place.capacity === undefined ? this.#pack(t).memory : t.memory;
      }
    }
    const told = at;
    for (let i = 0; i < sizes.length; i++) args[at++] = this.#sizeAt(sizes[i], inputs);
    for (let i = 0; i < constants.length; i++) args[at++] = constants[i];
    return told;
  }

  #call({ operation, args }: Prepared<M>): void {
    (this.#kernels[operation.kernel as keyof Kernels<M>] as (...args: Arguments<M>) => void)(...args);
    // Arguments that are objects must not be kept alive.
    if (typeof args[0] === "object") args.fill(null);
  }

  #prepare(operation: Operation): Prepared<M> {
    const { plan } = operation;
    const scratchSize = this.#device.scratch?.[operation.kernel as keyof Kernels<M>];
    const isSimple = operation.compute === null && plan.outputs.length === 1 &&
      scratchSize === undefined;
    return { operation, plan, args: new Array(plan.argumentCount).fill(null), scratchSize, isSimple };
  }

  #make(shape: ShapePlan, inputs: Inputs): DeviceTensor<M> {
    return this.#store.make(shape.like < 0 ? this.#shapeOf(shape, inputs) : inputs[shape.like]!.shape);
  }

  #shapeOf({ leading, axes }: ShapePlan, inputs: Inputs): readonly number[] {
    const others = leading === null ? none : inputs[leading.input]!.shape;
    const before = leading === null ? 0 : others.length - leading.at;
    // A growing array reserves seventeen elements.
    const shape = new Array<number>(before + axes.length);
    for (let i = 0; i < before; i++) shape[i] = others[i];
    for (let i = 0; i < axes.length; i++) shape[before + i] = this.#sizeAt(axes[i], inputs);
    return shape;
  }

  #sizeAt({ input, from, at }: Source, inputs: Inputs): number {
    if (from === "number") return at;
    // A tensor that is not given has no capacity; all other sizes are of tensors that are.
    if (from === "capacity" && inputs[input] === undefined) return 0;
    const x = inputs[input]!, shape = shapeOf(x);
    if (from === "axis") return shape[at < 0 ? shape.length + at : at];
    if (from === "capacity") return this.#store.alive(x).capacity;
    let product = 1;
    for (let i = 0; i < shape.length - at; i++) product *= shape[i];
    return product;
  }

  /** The memory of a tensor, row-major without gaps. */
  #memory(x: Tensor): M {
    return this.#pack(this.#store.alive(x)).memory;
  }

  /** The tensor itself, or a packed copy of a cache with gaps. */
  #pack(t: DeviceTensor<M>): DeviceTensor<M> {
    if (t.packed) return t;
    const packed = this.#store.make(t.shape);
    this.#copySteps(packed, 0, t);
    return packed;
  }

  /** Copies the steps of `x` to the cache `y`, from step `start` on. */
  #copySteps(y: DeviceTensor<M>, start: number, x: DeviceTensor<M>): void {
    const [batch, time, channels = 1] = shapeOf(x);
    const yStride = y.capacity * channels, xStride = x.capacity * channels;
    this.#kernels.copyRows(y.memory, start * channels, yStride, x.memory, 0, xStride, batch, time * channels);
  }
}

/** Functions that record the calls of kernels. */
function recordingKernels<M>(kernels: Kernels<M>, recording: () => Recording<M>): Kernels<M> {
  const names = Object.keys(kernels);
  return Object.fromEntries(
    names.map((name) => [name, (...args: (M | number | null | undefined)[]) => recording().call(name, args)]),
  ) as unknown as Kernels<M>;
}
