/**
 * A function made into one that writes down what it computes, and does that again when it is called again.
 *
 * @module
 */
import { DeviceBackend } from "../backends/device_backend.ts";
import { DeviceTensor } from "../backends/tensor_store.ts";
import type { AbortSignalLike } from "../abort.ts";
import { show } from "../check.ts";
import { run } from "../compute.ts";
import { sliceBatchOp } from "../ops/batch/mod.ts";
import type { Tensor } from "../tensor.ts";
import { mapTensors, sizeOf, tensorsByPlace } from "../tree.ts";
import { withoutCopies } from "./copies.ts";
import { noticing, settle, whileNoticing } from "./lengths.ts";
import { collectChecks } from "./lists.ts";
import { Program } from "./program.ts";
import { cachesOf, type Leaf, type Recorded, type Result } from "./recorded.ts";
import { Recording, type Slot } from "./recording.ts";
import { build, type Leaves, type Template, templateOf, templateOfArgument } from "./template.ts";

/** A function that is compiled. */
export interface Compiled<Args extends readonly unknown[], R> extends Disposable {
  (...args: Args): R;
  /**
   * The same while the event loop turns every 20 ms, so that timers fire and pages paint during a long computation. The
   * arguments must not be freed before it is done; what it computes does not depend on the turns.
   *
   * @param args the arguments
   * @param signal ends it, with the signal's reason as an error
   */
  withTurns(args: Args, signal?: AbortSignalLike): Promise<R>;
  /** Frees what was recorded; if it is called again, it is recorded again. */
  [Symbol.dispose](): void;
}

/** So many recordings are kept; of those beyond, the ones that were used longest ago are freed. */
const mostPrograms = 32;
/** After so many recordings that were not used again, only every so many-th call makes one. */
const mostInVain = 8;

/**
 * Compiles a function of tensors: the same function, which takes less time when it is called again. The first call with
 * arguments of a form (shapes, and everything that is no tensor) writes down which kernels it calls on which memory, below differentiation,
 * and later ones run those without going through the function: in WebAssembly in one call.
 *
 * `f` must be pure. What it closes over or makes of numbers itself is the same in every call, as are numbers among its arguments, which
 * are part of the form. What changes from call to call is a tensor (of shape `[]` for a step or a learning rate), or an argument that
 * is a list of lists of numbers, all of one length: token ids, say. In its place `f` sees a tensor `[B, T]`, and an id out of range is a
 * RangeError all the same. An argument that is the same object as in the call before, or as in its result, is taken to have the same
 * tensors in it. Results
 * are new tensors each time, so that states that are kept stay as they are; what is made on the way is freed, or is in memory that all
 * compiled functions of a backend share, and that counts as the backend's.
 *
 * A key-value cache that grows is one form at all lengths, as long as `f` itself does not look at its length: operations and
 * layers may. At most 32 forms are kept, and `[Symbol.dispose]` frees them, as the end of their backend does.
 *
 * @param f from trees of tensors, lists of numbers and anything else to a tree with tensors; not a promise of one
 * @returns f, compiled
 * @throws {TypeError} if f is not a function; when it is called, if f reads the numbers of a tensor, of which there are none yet while
 *   it is written down; and what f throws
 *
 * @example A step of a model, and its state
 * ```ts
 * import { compile, createWasm, presets, put, read, rwkv, type Tensor } from "@seqmix/seqmix";
 *
 * using backend = await createWasm();
 * const params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
 * using step = compile(rwkv.forward);
 * let state = rwkv.initialState(params);
 * for (const id of [1, 2, 3]) {
 *   const { logits, state: next } = step(params, [[id]], state);
 *   console.log((await read(logits)).length); // 64
 *   backend.free([logits, state]);
 *   state = next;
 * }
 * ```
 *
 * @example A whole step of training
 * ```ts
 * import { adamW, compile, createWasm, crossEntropy, presets, put, read, rwkv, tensor, valueAndGrad } from "@seqmix/seqmix";
 *
 * using backend = await createWasm();
 * let params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
 * // Steps that are counted in a tensor are not part of the form.
 * let state = { ...adamW.init(params), step: tensor([0], [], backend) };
 * type Params = typeof params;
 * using train = compile((params: Params, optimizer: typeof state, inputs: number[][], targets: number[][]) => {
 *   const { value, grads } = valueAndGrad((params) => {
 *     const { logits } = rwkv.forward(params, inputs, rwkv.initialState(params));
 *     return crossEntropy(logits, targets);
 *   }, params);
 *   return { value, ...adamW.update(grads, optimizer, params, { learningRate: 1e-3 }) };
 * });
 * for (let step = 0; step < 3; step++) {
 *   const next = train(params, state, [[1, 2, 3]], [[2, 3, 4]]);
 *   console.log(await read(next.value));
 *   backend.free([params, state, next.value]);
 *   ({ params, state } = next);
 * }
 * ```
 */
export function compile<Args extends readonly unknown[], R>(f: (...args: Args) => R): Compiled<Args, R> {
  if (typeof f !== "function") {
    throw new TypeError(`Cannot compile: f must be a function, current value is ${show(f)}`);
  }
  /** The last used first. */
  // deno-lint-ignore no-explicit-any
  let programs: Program<any>[] = [];
  let inVain = 0;
  /** Whether a cache was moved at the last call. */
  let movedBefore = false;

  /** The program for arguments, which it has accepted; null where f is to be run as it is. */
  // deno-lint-ignore no-explicit-any
  function programFor(args: Args): Program<any> | null {
    for (let i = 0; i < programs.length; i++) {
      const program = programs[i];
      if (!program.accepts(args)) continue;
      if (i > 0) programs.unshift(...programs.splice(i, 1));
      inVain = 0;
      movedBefore = false;
      return program.isFree ? program : null;
    }
    // A cache that is moved to where there is more room will not be of this form again soon.
    const isMoved = programs.some(({ lacksRoom }) => lacksRoom) && !movedBefore;
    movedBefore = isMoved;
    if (isMoved || inVain >= mostInVain && inVain++ % mostInVain !== 0) return null;
    const program = record(args);
    return program?.accepts(args) && program.isFree ? program : null;
  }

  // deno-lint-ignore no-explicit-any
  function record(args: Args): Program<any> | null {
    programs = programs.filter((program) => program.isAlive);
    const leaves: Leaves = { tensors: [], lists: [] };
    const starts: number[] = [];
    const templates = args.map((arg) => {
      starts.push(leaves.tensors.length);
      return templateOfArgument(arg, leaves);
    });
    starts.push(leaves.tensors.length);
    const backend = backendFor(leaves.tensors);
    if (backend === null || backend.isRecording) return null;
    const recorded = recordOn(backend, f, templates, starts, leaves);
    if (recorded === null) return null;
    const learned = programs.find((program) => program.backend === backend && program.learn(recorded));
    if (learned !== undefined) {
      backend.store.free(recorded.lists.map(({ tensor }) => tensor));
      return learned;
    }
    inVain++;
    try {
      programs.unshift(new Program(backend, recorded, backend.arena));
    } catch (error) {
      backend.store.free(recorded.lists.map(({ tensor }) => tensor));
      // Where there is no room for the program, there may be for what f has in memory at once.
      if (error instanceof RangeError) return null;
      throw error;
    }
    for (const program of programs.splice(mostPrograms)) program.free();
    return programs[0];
  }

  const step = (...args: Args): R => {
    const program = programFor(args);
    return program === null ? runAsItIs(f, args) : program.run() as R;
  };
  return Object.assign(step, {
    async withTurns(args: Args, signal?: AbortSignalLike): Promise<R> {
      const program = programFor(args);
      return program === null ? runAsItIs(f, args) : await program.runWithTurns(signal) as R;
    },
    [Symbol.dispose]() {
      for (const program of programs) program.free();
      programs = [];
    },
  });
}

/** Runs a function, and frees what it makes on the way as a program does. */
function runAsItIs<Args extends readonly unknown[], R>(f: (...args: Args) => R, args: Args): R {
  const [first] = tensorsByPlace(args);
  return first === undefined ? f(...args) : first.backend.scope(() => f(...args));
}

/** The backend of tensors that a recording can be made of: all of one that computes, in memory of their own. */
function backendFor(tensors: readonly Tensor[]): DeviceBackend<unknown> | null {
  const backend = tensors[0]?.backend;
  if (!(backend instanceof DeviceBackend)) return null;
  const memories = new Set<unknown>();
  for (const t of tensors) {
    if (!(t instanceof DeviceTensor) || t.backend !== backend || t.freed) return null;
    memories.add(t.memory);
  }
  return memories.size === tensors.length ? backend as DeviceBackend<unknown> : null;
}

/** Records a function; null where the recording can't be run. */
function recordOn<Args extends readonly unknown[], R, M>(
  backend: DeviceBackend<M>,
  f: (...args: Args) => R,
  templates: readonly Template[],
  starts: readonly number[],
  { tensors, lists: numbers }: Leaves,
): Recorded<M> | null {
  const { store, device } = backend;
  const isMemory = device.isMemory === undefined
    ? (_: string, __: number, value: unknown) => typeof value === "object" || value === undefined
    : device.isMemory.bind(device);
  const recording = new Recording<M>(isMemory);
  let looksAtLength = false;
  const look = () => looksAtLength = true;
  /** What stands for caches, whose shapes tell who looks at their length. */
  const originals = new Map<DeviceTensor<M>, DeviceTensor<M>>();
  const own = tensors as DeviceTensor<M>[];
  const inputs = own.map((t) => {
    if (t.cache === null) return t;
    const { memory, size, bytes, cache } = t;
    const standIn = new DeviceTensor(backend, noticing(t.shape, look), memory, size, bytes, cache, 0);
    originals.set(standIn, t);
    return standIn;
  });
  const slots = own.map((t) => recording.argument(t));
  const lists: { tensor: DeviceTensor<M>; slot: Slot }[] = [];
  try {
    for (const list of numbers) {
      const tensor = store.makeOutside([list.length, list[0].length]);
      lists.push({ tensor, slot: recording.argument(tensor) });
      tensor.lists = list;
    }
    const standIns = lists.map(({ tensor }) => tensor);
    const args = templates.map((template) => build(template, inputs, standIns)) as unknown as Args;
    const output = backend.record(
      recording,
      () =>
        whileNoticing(() =>
          collectChecks(recording.checks, () =>
            backend.scope(() => {
              const output = f(...args);
              refusePromise(output);
              // The tensors of lists are the program's own.
              return mapOnly(output, standIns, (t) => run(sliceBatchOp, [t], [0, t.shape[0]])[0]);
            }))
        ),
    );
    const result = mapOnly(output, [...originals.keys()], (t) => originals.get(t)!);
    const results = tensorsByPlace(result);
    for (const t of results) if (t instanceof DeviceTensor) settle(t);
    const found = resultsOf(result, recording, own, slots);
    // Nothing is in them.
    const known = new Set<unknown>([...own, ...recording.closures.values()]);
    const made = results.filter((t) =>
      t.backend === backend && !known.has(t) && recording.slotOf(t as DeviceTensor<M>) !== undefined
    );
    store.free(made);
    if (found === null || [...originals.keys(), ...own].some((t) => t.freed)) {
      for (const [standIn, t] of originals) t.freed ||= standIn.freed;
      store.free(standIns);
      return null;
    }
    const leaves = own.map((t, i): Leaf => ({
      slot: slots[i],
      shape: t.shape,
      room: t.cache?.capacity ?? null,
      growth: recording.growths.get(slots[i]),
    }));
    const written = new Set(found.results.flatMap((result) => result.kind === "made" ? [result.slot] : []));
    const calls = withoutCopies(recording.calls, written), caches = looksAtLength ? [] : cachesOf(leaves);
    return { recording, calls, templates, leaves, starts, lists, caches, ...found };
  } catch (error) {
    store.free(lists.map(({ tensor }) => tensor));
    throw error;
  }
}

function refusePromise(output: unknown): void {
  if (typeof (output as Promise<unknown> | null | undefined)?.then !== "function") return;
  // It may be that of a tensor that can't be read now.
  (output as Promise<unknown>).then(() => {}, () => {});
  throw new TypeError(
    "Cannot compile: f must return its result and read no tensor's numbers, current result is a promise",
  );
}

/** Where the tensors of a result come from; null where that can't be said of a later run. */
function resultsOf<M>(
  tree: unknown,
  recording: Recording<M>,
  leaves: readonly DeviceTensor<M>[],
  slots: readonly Slot[],
): { template: Template; results: Result<M>[] } | null {
  const found: Leaves = { tensors: [], lists: [] };
  const template = templateOf(tree, found);
  const results: Result<M>[] = [];
  /** The last result, or argument, in each slot that grows. */
  const last = new Map<Slot, { of: "leaf" | "result"; index: number; length: number }>();
  leaves.forEach((t, index) => {
    if (t.cache !== null) last.set(slots[index], { of: "leaf", index, length: t.shape[1] });
  });
  for (const [i, t] of found.tensors.entries()) {
    const leaf = leaves.indexOf(t as DeviceTensor<M>);
    if (leaf >= 0) {
      results.push({ kind: "leaf", index: leaf });
      continue;
    }
    if (!(t instanceof DeviceTensor) || t.backend !== leaves[0].backend) return null;
    const slot = recording.slotOf(t), { shape } = t;
    if (slot === undefined || recording.closures.get(slot) === t) {
      results.push({ kind: "closure", tensor: t });
      continue;
    }
    const before = last.get(slot);
    if (before !== undefined) {
      const { of, index, length } = before;
      if (shape[1] <= length) return null;
      results.push({ kind: "grown", of, index, steps: shape[1] - length });
    } else if (slot.kind === "made") {
      results.push({ kind: "made", slot, shape, size: sizeOf(shape), room: t.cache?.capacity ?? null });
    } else {
      return null;
    }
    if (t.cache !== null) last.set(slot, { of: "result", index: i, length: shape[1] });
  }
  return { template, results };
}

/** A tree with some of its tensors replaced; the tree itself where it has none of them. */
function mapOnly<T, U extends Tensor>(tree: T, some: readonly U[], f: (t: U) => Tensor): T {
  const those = new Set<Tensor>(some);
  if (!tensorsByPlace(tree).some((t) => those.has(t))) return tree;
  return mapTensors(tree, (t) => those.has(t) ? f(t as U) : t);
}
