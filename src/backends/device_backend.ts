/**
 * A device's memory and kernels made into a backend: what an operation allocates and what its kernel is told, as its declaration
 * has it. Inputs come checked from the public functions.
 *
 * @module
 */
import type { Engine, RwkvStacks } from "../engine.ts";
import type { Operation, ShapePlan, Source } from "../operation.ts";
import type { Floats, MemoryUse, Tensor } from "../tensor.ts";
import { sizeOf } from "../tree.ts";
import { deviceRwkvStacks } from "./device_rwkv_stacks.ts";
import type { Device, Kernels, Workspace } from "./kernels.ts";
import { type DeviceTensor, TensorStore } from "./tensor_store.ts";

type Inputs = readonly (Tensor | undefined)[];

/** The one implementation of {@linkcode Engine} for every device with memory and kernels. */
export class DeviceBackend<M> implements Engine {
  readonly name: string;
  readonly options: unknown;
  readonly workAtOnce: number;
  readonly rwkvStacks: RwkvStacks | undefined;
  readonly #device: Device<M>;
  #kernels: Kernels<M>;
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
      upload: (memory, data) => device.upload(memory, data),
    };
    this.rwkvStacks = deviceRwkvStacks(device, store, memory);
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
    this.#device.upload(y.memory, data);
    return y;
  }

  download(x: Tensor, room?: Floats): Floats | Promise<Floats> {
    const t = this.#store.alive(x), packed = this.#pack(t);
    const numbers = this.#device.download(packed.memory, sizeOf(x.shape), room);
    // Outside all scopes nobody else would free the packed copy.
    if (packed !== t) this.#store.free(packed);
    return numbers;
  }

  expectZeros(x: Tensor, errorAt: (index: number) => Error): void {
    const memory = this.#memory(x), size = sizeOf(x.shape);
    if (this.#device.expectZeros !== undefined) return this.#device.expectZeros(memory, size, errorAt);
    const numbers = this.#device.download(memory, size) as Floats;
    const wrong = numbers.findIndex((number) => number !== 0);
    if (wrong >= 0) throw errorAt(wrong);
  }

  reserveTime(batch: number, capacity: number, channels: number): Tensor {
    // Without room it is empty, whatever the batch; but one that no step could be appended to is refused here.
    sizeOf([batch, channels]);
    return this.#store.makeCache(batch, 0, channels, capacity);
  }

  run(operation: Operation, inputs: Inputs, constants: readonly number[]): Tensor[] {
    const { outputs, kernel, compute } = operation;
    const scratchSize = this.#device.scratch?.[kernel as keyof Kernels<M>];
    // What allocates more than once, in a scope of its own: if it fails it leaves nothing behind.
    const isAlone = outputs.length === 1 && scratchSize === undefined;
    if (!isAlone && this.#store.outsideScopes) return this.#store.scope(() => this.run(operation, inputs, constants));
    if (compute !== null) return compute(this.#workspace, inputs as Tensor[], constants);

    const results: DeviceTensor<M>[] = [], args: (M | number | null)[] = [];
    for (let i = 0; i < outputs.length; i++) {
      const shape = outputs[i];
      if (shape === null) {
        args.push(null);
        continue;
      }
      const result = this.#store.make(this.#shapeOf(shape, inputs));
      results.push(result);
      args.push(result.memory);
    }
    for (let i = 0; i < inputs.length; i++) {
      const { read, capacity } = operation.inputs[i], x = inputs[i];
      if (!read) continue;
      if (x === undefined) args.push(null);
      else args.push(capacity === undefined ? this.#memory(x) : this.#store.alive(x).memory);
    }
    const first = args.length;
    for (let i = 0; i < operation.sizes.length; i++) args.push(this.#sizeAt(operation.sizes[i], inputs));
    for (let i = 0; i < constants.length; i++) args.push(constants[i]);
    const scratch = scratchSize === undefined
      ? null
      : this.#store.makeScratch(scratchSize(...args.slice(first) as number[]));
    if (scratch !== null) args.push(scratch.memory);
    this.#workspace.call(kernel as keyof Kernels<M>, ...args as never);
    this.#store.free(scratch);
    return results;
  }

  #shapeOf({ like, leading, axes }: ShapePlan, inputs: Inputs): readonly number[] {
    if (like >= 0) return inputs[like]!.shape;
    const shape = leading === null ? [] : inputs[leading.input]!.shape.slice(0, -leading.at || undefined);
    for (let i = 0; i < axes.length; i++) shape.push(this.#sizeAt(axes[i], inputs));
    return shape;
  }

  #sizeAt({ input, from, at }: Source, inputs: Inputs): number {
    if (from === "number") return at;
    const x = inputs[input]!, { shape } = x;
    if (from === "axis") return shape[at < 0 ? shape.length + at : at];
    if (from === "capacity") return this.#store.alive(x).stepsApart;
    let product = 1;
    for (let i = 0; i < shape.length - at; i++) product *= shape[i];
    return product;
  }

  /** Where a tensor's values are, row-major without gaps. */
  #memory(x: Tensor): M {
    return this.#pack(this.#store.alive(x)).memory;
  }

  /** The tensor itself, or a copy where it is a cache with gaps. */
  #pack(t: DeviceTensor<M>): DeviceTensor<M> {
    if (t.packed) return t;
    const packed = this.#store.make(t.shape);
    this.#copySteps(packed, 0, t);
    return packed;
  }

  /** Writes the steps of `x` over those of the cache `y` from `start` on. */
  #copySteps(y: DeviceTensor<M>, start: number, x: DeviceTensor<M>): void {
    const [batch, time, channels] = x.shape;
    const yStride = y.stepsApart * channels, xStride = x.stepsApart * channels;
    this.#kernels.copyRows(y.memory, start * channels, yStride, x.memory, 0, xStride, batch, time * channels);
  }
}
