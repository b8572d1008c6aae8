/**
 * A device's memory and kernels made into a backend: what each operation allocates, and which sizes its kernel is
 * told. Arguments come checked from the public functions.
 *
 * @module
 */
import type {
  AdamWStep,
  Backend,
  BackwardOperations,
  Floats,
  MemoryUse,
  RwkvStacks,
  Tensor,
} from "../tensor.ts";
import { rowsOf, sizeOf } from "../tree.ts";
import { deviceBackward } from "./device_backward.ts";
import { deviceRwkvStacks } from "./device_rwkv_stacks.ts";
import type { Device, Kernels } from "./kernels.ts";
import { type DeviceTensor, TensorStore } from "./tensor_store.ts";

/** The one implementation of {@linkcode Backend} for every device with memory and kernels. */
export class DeviceBackend<M> implements Backend {
  readonly name: string;
  readonly options: unknown;
  readonly workAtOnce: number;
  readonly #device: Device<M>;
  readonly #kernels: Kernels<M>;
  readonly #store: TensorStore<M>;
  readonly rwkvStacks: RwkvStacks | undefined;
  readonly backward: BackwardOperations;

  constructor(device: Device<M>) {
    this.name = device.name;
    this.options = device.options;
    this.workAtOnce = device.workAtOnce;
    this.#device = device;
    this.#kernels = device.kernels;
    this.#store = new TensorStore(this, device);
    this.rwkvStacks = deviceRwkvStacks(device, this.#store, (x) => this.#memory(x));
    this.backward = deviceBackward(device, this.#store, (x) => this.#memory(x));
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

  embedding(ids: Tensor, weight: Tensor): Tensor {
    const [vocabulary, channels] = weight.shape;
    const y = this.#store.make([...ids.shape, channels]);
    this.#kernels.embedding(
      y.memory,
      this.#memory(ids),
      this.#memory(weight),
      sizeOf(ids.shape),
      vocabulary,
      channels,
    );
    return y;
  }

  linear(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
    const [outputs, inputs] = weight.shape;
    const rows = rowsOf(x.shape);
    const y = this.#store.make(withLast(x.shape, outputs));
    this.#kernels.linear(
      y.memory,
      this.#memory(x),
      this.#memory(weight),
      bias && this.#memory(bias),
      rows,
      inputs,
      outputs,
    );
    return y;
  }

  layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
    const y = this.#store.make(x.shape);
    this.#kernels.layerNorm(
      y.memory,
      this.#memory(x),
      this.#memory(weight),
      this.#memory(bias),
      rowsOf(x.shape),
      weight.shape[0],
      epsilon,
    );
    return y;
  }

  add(a: Tensor, b: Tensor): Tensor {
    const y = this.#store.make(a.shape);
    this.#kernels.add(y.memory, this.#memory(a), this.#memory(b), sizeOf(a.shape));
    return y;
  }

  multiply(a: Tensor, b: Tensor): Tensor {
    const y = this.#store.make(a.shape);
    this.#kernels.multiply(y.memory, this.#memory(a), this.#memory(b), sizeOf(a.shape));
    return y;
  }

  mix(x: Tensor, before: Tensor, ratio: Tensor): Tensor {
    const y = this.#store.make(x.shape);
    this.#kernels.mix(
      y.memory,
      this.#memory(x),
      this.#memory(before),
      this.#memory(ratio),
      rowsOf(x.shape),
      ratio.shape[0],
    );
    return y;
  }

  sigmoid(x: Tensor): Tensor {
    const y = this.#store.make(x.shape);
    this.#kernels.sigmoid(y.memory, this.#memory(x), sizeOf(x.shape));
    return y;
  }

  tanh(x: Tensor): Tensor {
    const y = this.#store.make(x.shape);
    this.#kernels.tanh(y.memory, this.#memory(x), sizeOf(x.shape));
    return y;
  }

  squaredRelu(x: Tensor): Tensor {
    const y = this.#store.make(x.shape);
    this.#kernels.squaredRelu(y.memory, this.#memory(x), sizeOf(x.shape));
    return y;
  }

  gelu(x: Tensor): Tensor {
    const y = this.#store.make(x.shape);
    this.#kernels.gelu(y.memory, this.#memory(x), sizeOf(x.shape));
    return y;
  }

  negativeExp(x: Tensor): Tensor {
    const y = this.#store.make(x.shape);
    this.#kernels.negativeExp(y.memory, this.#memory(x), sizeOf(x.shape));
    return y;
  }

  softmax(x: Tensor): Tensor {
    const y = this.#store.make(x.shape);
    this.#kernels.softmax(y.memory, this.#memory(x), rowsOf(x.shape), x.shape[x.shape.length - 1]);
    return y;
  }

  shiftTime(x: Tensor, first: Tensor): Tensor {
    const [batch, time, channels] = x.shape;
    const y = this.#store.make(x.shape);
    this.#kernels.shiftTime(y.memory, this.#memory(x), this.#memory(first), batch, time, channels);
    return y;
  }

  lastStep(x: Tensor, keepTime = false): Tensor {
    const [batch, time, channels] = x.shape;
    const y = this.#store.make(keepTime ? [batch, 1, channels] : [batch, channels]);
    this.#kernels.lastStep(y.memory, this.#memory(x), batch, time, channels);
    return y;
  }

  reserveTime(batch: number, capacity: number, channels: number): Tensor {
    // Without room it is empty, whatever the batch; but one that no step could be appended to is refused here.
    sizeOf([batch, channels]);
    return this.#store.makeCache(batch, 0, channels, capacity);
  }

  /**
   * Appends in place where `past` is the newest holder of a block with room, so that a step costs its own rows and
   * not the whole past; any other holder of the block keeps seeing what it saw.
   */
  appendTime(past: Tensor, x: Tensor): Tensor {
    const source = this.#store.alive(past), added = this.#store.alive(x);
    const [batch, before, channels] = past.shape;
    const time = x.shape[1];
    const after = sumOf(before, time);
    // A quarter more than needed: every row is copied about four times in all, however long the cache grows.
    const y = this.#store.extend(source, time) ??
      this.#store.makeCache(batch, after, channels, after + Math.max(16, Math.floor(after / 4)));
    if (y.memory !== source.memory) this.#copySteps(y, 0, source);
    this.#copySteps(y, before, added);
    return y;
  }

  wkv(decay: Tensor, bonus: Tensor, key: Tensor, value: Tensor, state: Tensor): [Tensor, Tensor] {
    if (this.#store.outsideScopes) return this.#alone(this.wkv, decay, bonus, key, value, state);
    const [batch, time, channels] = key.shape;
    const y = this.#store.make(key.shape);
    const nextState = this.#store.make(state.shape);
    this.#kernels.wkv(
      y.memory,
      nextState.memory,
      this.#memory(decay),
      this.#memory(bonus),
      this.#memory(key),
      this.#memory(value),
      this.#memory(state),
      batch,
      time,
      channels,
    );
    return [y, nextState];
  }

  rotary(x: Tensor, heads: number, position: number, base: number): Tensor {
    const [batch, time, channels] = x.shape;
    const y = this.#store.make(x.shape);
    this.#kernels.rotary(y.memory, this.#memory(x), batch, time, channels, heads, position, base);
    return y;
  }

  attention(query: Tensor, key: Tensor, value: Tensor, heads: number): Tensor {
    if (this.#store.outsideScopes) return this.#alone(this.attention, query, key, value, heads);
    const [batch, queryTime, channels] = query.shape;
    const keys = this.#store.alive(key), values = this.#store.alive(value);
    const y = this.#store.make(query.shape);
    const keyTime = key.shape[1], keysApart = keys.stepsApart, valuesApart = values.stepsApart;
    const scratch = this.#store.makeScratch(
      this.#device.scratch?.attention?.(
        batch,
        queryTime,
        keyTime,
        keysApart,
        valuesApart,
        channels,
        heads,
      ),
    );
    this.#kernels.attention(
      y.memory,
      this.#memory(query),
      keys.memory,
      values.memory,
      batch,
      queryTime,
      keyTime,
      keysApart,
      valuesApart,
      channels,
      heads,
      scratch?.memory,
    );
    if (scratch) this.#store.free(scratch);
    return y;
  }

  lstmRecurrence(
    gates: Tensor,
    hiddenWeight: Tensor,
    hidden: Tensor,
    cell: Tensor,
  ): [Tensor, Tensor, Tensor] {
    if (this.#store.outsideScopes) return this.#alone(this.lstmRecurrence, gates, hiddenWeight, hidden, cell);
    const [batch, time] = gates.shape;
    const channels = hiddenWeight.shape[1];
    const y = this.#store.make([batch, time, channels]);
    const nextHidden = this.#store.make(hidden.shape);
    const nextCell = this.#store.make(cell.shape);
    const scratch = this.#store.makeScratch(this.#device.scratch?.lstmRecurrence?.(batch, time, channels));
    this.#kernels.lstmRecurrence(
      y.memory,
      nextHidden.memory,
      nextCell.memory,
      this.#memory(gates),
      this.#memory(hiddenWeight),
      this.#memory(hidden),
      this.#memory(cell),
      batch,
      time,
      channels,
      scratch?.memory,
    );
    if (scratch) this.#store.free(scratch);
    return [y, nextHidden, nextCell];
  }

  crossEntropy(logits: Tensor, targets: Tensor, weights: Tensor | null): Tensor {
    const loss = this.#store.make([]);
    this.#kernels.crossEntropy(
      loss.memory,
      this.#memory(logits),
      this.#memory(targets),
      weights && this.#memory(weights),
      rowsOf(logits.shape),
      logits.shape[logits.shape.length - 1],
    );
    return loss;
  }

  sample(
    logits: Tensor,
    step: Tensor | null,
    temperature: number,
    topK: number,
    topP: number,
    seed: number,
    base: number,
  ): Tensor {
    const vocabulary = logits.shape[logits.shape.length - 1];
    const ids = this.#store.make(logits.shape.slice(0, -1));
    this.#kernels.sample(
      ids.memory,
      this.#memory(logits),
      step && this.#memory(step),
      rowsOf(logits.shape),
      vocabulary,
      temperature,
      // More than all is all; a count of 32 bits would wrap.
      Math.min(topK, vocabulary),
      topP,
      seed,
      base,
    );
    return ids;
  }

  concatBatch(parts: readonly Tensor[]): Tensor {
    const [, ...rest] = parts[0].shape;
    const y = this.#store.make([parts.reduce((sum, part) => sumOf(sum, part.shape[0]), 0), ...rest]);
    let offset = 0;
    for (const part of parts) {
      this.#copySequences(y, offset, this.#store.alive(part), 0, part.shape[0]);
      offset += sizeOf(part.shape);
    }
    return y;
  }

  sliceBatch(x: Tensor, start: number, end: number): Tensor {
    const source = this.#store.alive(x);
    const [, ...rest] = x.shape;
    const y = this.#store.make([end - start, ...rest]);
    this.#copySequences(y, 0, source, start, end);
    return y;
  }

  adamW(
    param: Tensor,
    grad: Tensor,
    mean: Tensor,
    variance: Tensor,
    overflows: Tensor,
    rate: Tensor,
    step: Tensor,
    leaf: number,
    { rateFactor, beta1, beta2, epsilon, weightDecay }: AdamWStep,
  ): [Tensor, Tensor, Tensor] {
    const nextParam = this.#store.make(param.shape);
    const nextMean = this.#store.make(param.shape);
    const nextVariance = this.#store.make(param.shape);
    this.#kernels.adamW(
      nextParam.memory,
      nextMean.memory,
      nextVariance.memory,
      this.#memory(overflows),
      this.#memory(param),
      this.#memory(grad),
      this.#memory(mean),
      this.#memory(variance),
      this.#memory(rate),
      this.#memory(step),
      sizeOf(param.shape),
      leaf,
      rateFactor,
      beta1,
      beta2,
      epsilon,
      weightDecay,
    );
    return [nextParam, nextMean, nextVariance];
  }

  /** The norm of the tensors' norms. */
  norm(tensors: readonly Tensor[], scale: number): Tensor {
    const y = this.#store.make([]);
    const norms = this.#store.make([tensors.length]);
    tensors.forEach((x, i) => this.#kernels.norm(norms.memory, this.#memory(x), sizeOf(x.shape), i, scale));
    this.#kernels.norm(y.memory, norms.memory, tensors.length, 0, 1);
    this.#store.free(norms);
    return y;
  }

  clipToNorm(x: Tensor, norm: Tensor, maxNorm: number, scale: number): Tensor {
    const y = this.#store.make(x.shape);
    const size = sizeOf(x.shape);
    this.#kernels.clipToNorm(y.memory, this.#memory(x), this.#memory(norm), size, maxNorm, scale);
    return y;
  }

  /** An operation that allocates more than once, in a scope of its own: if it fails it leaves nothing behind. */
  #alone<A extends unknown[], R>(operation: (...args: A) => R, ...args: A): R {
    return this.scope(() => operation.apply(this, args));
  }

  /** Writes the sequences `start .. end` of `x`, which may be a cache with gaps, to an offset of `y`, without gaps. */
  #copySequences(y: DeviceTensor<M>, offset: number, x: DeviceTensor<M>, start: number, end: number): void {
    const [, ...rest] = x.shape;
    const width = sizeOf(rest);
    const apart = x.packed ? width : x.stepsApart * x.shape[2];
    this.#kernels.copyRows(
      y.memory,
      offset,
      width,
      x.memory,
      start * apart,
      apart,
      end - start,
      width,
    );
  }

  /** Writes the steps of `x` over those of the cache `y` from `start` on. */
  #copySteps(y: DeviceTensor<M>, start: number, x: DeviceTensor<M>): void {
    const [batch, time, channels] = x.shape;
    this.#kernels.copyRows(
      y.memory,
      start * channels,
      y.stepsApart * channels,
      x.memory,
      0,
      x.stepsApart * channels,
      batch,
      time * channels,
    );
  }

  /** Where a tensor's values stand, row-major without gaps. */
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
}

/** The size of an axis that two are joined along. Empty tensors may have sizes of which the sum is not exact. */
function sumOf(a: number, b: number): number {
  const sum = a + b;
  if (sum <= Number.MAX_SAFE_INTEGER) return sum;
  throw new RangeError(
    `Cannot allocate tensor: an axis must be at most ${Number.MAX_SAFE_INTEGER}, current sizes are ${a} and ${b}`,
  );
}

function withLast(shape: readonly number[], last: number): readonly number[] {
  const changed = shape.slice();
  changed[changed.length - 1] = last;
  return changed;
}
