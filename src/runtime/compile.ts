/**
 * A function made into one that writes down what it computes, and does that again when it is called again.
 *
 * @module
 */
import { DeviceBackend } from "../backends/device_backend.ts";
import { DeviceTensor } from "../backends/tensor_store.ts";
import { show } from "../check.ts";
import type { Tensor } from "../tensor.ts";
import { mapTensors, tensorsByPlace } from "../tree.ts";
import { noticing, settle, whileNoticing } from "./lengths.ts";
import { collectChecks, setLists } from "./lists.ts";
import { Program, ravel } from "./program.ts";
import { cachesOf, type Leaf, type Recorded, type Result } from "./recorded.ts";
import { Recording, type Slot } from "./recording.ts";
import { build, type Leaves, type Template, templateOf } from "./template.ts";

/** A function that is compiled; disposing of it frees what it recorded. */
export interface Compiled<Args extends readonly unknown[], R> extends Disposable {
  (...args: Args): R;
}

/** So many recordings are kept; of those beyond, the ones that were used longest ago are freed. */
const mostPrograms = 32;
/** After so many recordings that were not used again, only every so many-th call makes one. */
const mostInVain = 8;

export function compile<Args extends readonly unknown[], R>(f: (...args: Args) => R): Compiled<Args, R> {
  if (typeof f !== "function") {
    throw new TypeError(`Cannot compile: f must be a function, current value is ${show(f)}`);
  }
  /** The last used first. */
  // deno-lint-ignore no-explicit-any
  let programs: Program<any>[] = [];
  let inVain = 0;

  function step(...args: Args): R {
    for (let i = 0; i < programs.length; i++) {
      const program = programs[i];
      if (program.backend.isRecording || !program.accepts(args)) continue;
      if (i > 0) {
        programs.splice(i, 1);
        programs.unshift(program);
      }
      inVain = 0;
      return program.run() as R;
    }
    if (inVain >= mostInVain && inVain % mostInVain !== 0) {
      inVain++;
      return f(...args);
    }
    return record(args);
  }

  function record(args: Args): R {
    const leaves: Leaves = { tensors: [], lists: [] };
    const starts: number[] = [];
    const templates = args.map((arg) => {
      starts.push(leaves.tensors.length);
      return templateOf(arg, leaves, true);
    });
    starts.push(leaves.tensors.length);
    const backend = backendFor(leaves.tensors);
    if (backend === null || backend.isRecording) return f(...args);
    const { result, recorded } = recordOn(backend, f, templates, starts, leaves);
    if (recorded === null) return result;
    if (programs.some((program) => program.backend === backend && program.learn(recorded))) {
      backend.store.free(recorded.lists.map(({ tensor }) => tensor));
      return result;
    }
    inVain++;
    programs.unshift(new Program(backend, recorded, backend.arena));
    for (const program of programs.splice(mostPrograms)) program.free();
    return result;
  }

  return Object.assign(step, {
    [Symbol.dispose]() {
      for (const program of programs) program.free();
      programs = [];
    },
  });
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

/** Runs a function and records it; no recording where it can't be run again. */
function recordOn<Args extends readonly unknown[], R, M>(
  backend: DeviceBackend<M>,
  f: (...args: Args) => R,
  templates: readonly Template[],
  starts: readonly number[],
  { tensors, lists: numbers }: Leaves,
): { result: R; recorded: Recorded<M> | null } {
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
      device.upload(tensor.memory, ravel(list));
      setLists(tensor, list);
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
              // The tensors of lists are the program's own.
              return mapOnly(output, standIns, (t) => backend.sliceBatch(t, 0, t.shape[0]));
            }))
        ),
    );
    for (const [standIn, t] of originals) t.freed ||= standIn.freed;
    const result = mapOnly(output, [...originals.keys()], (t) => originals.get(t)!);
    for (const t of tensorsByPlace(result)) if (t instanceof DeviceTensor) settle(t);
    const found = resultsOf(result, recording, own, slots);
    if (found === null || own.some((t) => t.freed)) {
      store.free(standIns);
      return { result, recorded: null };
    }
    const leaves = own.map((t, i): Leaf => ({
      slot: slots[i],
      shape: t.shape,
      room: t.cache?.capacity ?? null,
      growth: recording.growths.get(slots[i]),
    }));
    const made = new Set(found.results.flatMap((result) => result.kind === "made" ? [result.slot] : []));
    const calls = recording.simplified(made), caches = looksAtLength ? [] : cachesOf(leaves);
    return { result, recorded: { recording, calls, templates, leaves, starts, lists, caches, ...found } };
  } catch (error) {
    store.free(lists.map(({ tensor }) => tensor));
    throw error;
  }
}

/** Where the tensors of a result come from; null where that can't be said of a later run. */
function resultsOf<M>(
  tree: unknown,
  recording: Recording<M>,
  leaves: readonly DeviceTensor<M>[],
  slots: readonly Slot[],
): { template: Template; results: Result<M>[] } | null {
  const found: Leaves = { tensors: [], lists: [] };
  const template = templateOf(tree, found, false);
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
      results.push({ kind: "made", slot, shape, room: t.cache?.capacity ?? null });
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
