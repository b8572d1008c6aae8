/**
 * Records what a function computes by running it with kernels that only note their calls.
 *
 * @module
 */
import type { DeviceBackend } from "../backends/device_backend.ts";
import { DeviceTensor } from "../backends/tensor_store.ts";
import { type NumberLists, recordChecks, standInFor } from "../number_lists.ts";
import type { Tensor } from "../tensor.ts";
import { trackedShape, untrack, whileTracking } from "../tracked_shape.ts";
import { mapTensors, sizeOf, tensorsByPlace } from "../tree.ts";
import { withoutCopies } from "./copies.ts";
import { cachesOf, type Leaf, type ListSlot, type Recorded, type Result } from "./recorded.ts";
import { Recording, type Slot } from "./recording.ts";
import { build, type Leaves, markLists, type Template, templateOf, templateOfArgument } from "./template.ts";

/**
 * Records a function on the backend of its tensor arguments. Null if the recording could not be replayed: no
 * backend or several, tensors that share memory, or results that come from another program.
 */
export function record<Args extends readonly unknown[], M>(
  f: (...args: Args) => unknown,
  args: Args,
): { backend: DeviceBackend<M>; recorded: Recorded<M> } | null {
  const given: Leaves = { tensors: [], lists: [] };
  const starts: number[] = [];
  const templates = args.map((arg) => {
    starts.push(given.tensors.length);
    return templateOfArgument(arg, given);
  });
  starts.push(given.tensors.length);
  const backend = backendFor(given.tensors) as DeviceBackend<M> | null;
  if (backend === null || backend.isRecording) return null;
  const recording = new Recording<M>(memoryTest(backend));
  const tensors = given.tensors as DeviceTensor<M>[];
  const slots = tensors.map((t) => recording.argument(t));
  const caches = new StandInCaches(backend, tensors);
  for (const t of caches.tensors) recording.given.add(t);
  const lists: ListSlot<M>[] = [];
  let recorded: Recorded<M> | null = null;
  try {
    for (const numbers of given.lists) lists.push(listSlot(backend, recording, numbers));
    const standIns = lists.map(({ tensor }, i) => standInFor(given.lists[i], tensor));
    const inputs = templates.map((template) => build(template, caches.tensors, standIns)) as unknown as Args;
    const output = backend.record(
      recording,
      () =>
        whileTracking(() =>
          recordChecks(
            recording.checks,
            () => backend.scope(() => markLists(refusePromise(f(...inputs)), standIns)),
          )
        ),
    );
    const result = caches.replaceIn(output);
    const found = resultsOf(result, recording, tensors, slots);
    freeRecorded(backend, recording, result, tensors);
    recording.close();
    if (found === null || recording.cannotRepeat || recording.checks.failed) return null;
    const leaves = tensors.map((t, i): Leaf => ({
      slot: slots[i],
      shape: t.shape,
      capacity: t.cache?.capacity ?? null,
      growth: recording.growths.get(slots[i]),
    }));
    const written = new Set(found.results.flatMap((result) => result.kind === "made" ? [result.slot] : []));
    recorded = {
      recording,
      calls: withoutCopies(recording.calls, written),
      templates,
      leaves,
      starts,
      lists,
      caches: caches.wereRead ? [] : cachesOf(leaves),
      ...found,
    };
    return { backend, recorded };
  } finally {
    if (recorded === null) backend.store.free(lists.map(({ tensor }) => tensor));
  }
}

/**
 * The backend of tensors that can be recorded: all on one backend that computes, each in memory of its own; else
 * null.
 */
function backendFor(tensors: readonly Tensor[]): DeviceBackend<unknown> | null {
  const [first] = tensors;
  if (!(first instanceof DeviceTensor)) return null;
  const backend = first.backend as DeviceBackend<unknown>;
  const memories = new Set<unknown>();
  for (const t of tensors) {
    if (!(t instanceof DeviceTensor) || t.backend !== backend || t.freed) return null;
    memories.add(t.memory);
  }
  return memories.size === tensors.length ? backend : null;
}

function memoryTest<M>(
  { device }: DeviceBackend<M>,
): (kernel: string, at: number, value: unknown) => boolean {
  return (kernel, at, value) =>
    device.isMemory?.(kernel, at) ?? (typeof value === "object" || value === undefined);
}

/** The tensor that holds the numbers of lists, filled at every run. */
function listSlot<M>(backend: DeviceBackend<M>, recording: Recording<M>, numbers: NumberLists): ListSlot<M> {
  const tensor = backend.store.makeOutside([numbers.length, numbers[0].length]);
  tensor.lists = numbers;
  return { tensor, slot: recording.argument(tensor) };
}

/** Stand-ins for key-value caches: the same memory, with shapes that report when their length is read. */
class StandInCaches<M> {
  /** All tensors, with caches replaced by stand-ins. */
  readonly tensors: readonly DeviceTensor<M>[];
  /** Whether the function read a length. */
  wereRead = false;
  readonly #originals = new Map<Tensor, DeviceTensor<M>>();

  constructor(backend: DeviceBackend<M>, tensors: readonly DeviceTensor<M>[]) {
    const onRead = () => {
      this.wereRead = true;
    };
    this.tensors = tensors.map((t) => {
      if (t.cache === null) return t;
      const { memory, size, bytes, cache } = t;
      const standIn = new DeviceTensor(backend, trackedShape(t.shape, onRead), memory, size, bytes, cache, 0);
      this.#originals.set(standIn, t);
      return standIn;
    });
  }

  /** Returns a tree with the original caches instead of their stand-ins, and no tracked shapes. */
  replaceIn(tree: unknown): unknown {
    const tensors = tensorsByPlace(tree);
    for (const t of tensors) if (t instanceof DeviceTensor && !this.#originals.has(t)) untrack(t);
    if (!tensors.some((t) => this.#originals.has(t))) return tree;
    return mapTensors(tree, (t) => this.#originals.get(t) ?? t);
  }
}

/** Frees the tensors that the function made: nothing was computed, so they hold no numbers. */
function freeRecorded<M>(
  backend: DeviceBackend<M>,
  recording: Recording<M>,
  result: unknown,
  given: readonly DeviceTensor<M>[],
): void {
  const others = new Set<Tensor>([...given, ...recording.closures.values()]);
  for (const t of tensorsByPlace(result)) {
    if (t.backend !== backend || others.has(t)) continue;
    if (recording.slotOf(t as DeviceTensor<M>) !== undefined) backend.store.free(t);
  }
}

function refusePromise<R>(output: R): R {
  if (typeof (output as Promise<unknown> | null | undefined)?.then !== "function") return output;
  // It may be the rejection of a read that is not possible now.
  (output as Promise<unknown>).then(() => {}, () => {});
  throw new TypeError(
    "Cannot compile: f must return its result and read no tensor's numbers, current result is a promise",
  );
}

/** The origin of each tensor of a result; null if it can't be determined for a later run. */
function resultsOf<M>(
  tree: unknown,
  recording: Recording<M>,
  leaves: readonly DeviceTensor<M>[],
  slots: readonly Slot[],
): { template: Template; results: Result<M>[] } | null {
  const found: Leaves = { tensors: [], lists: [] };
  const template = templateOf(tree, found);
  const results: Result<M>[] = [];
  /** For each growing slot, the last result or argument in it. */
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
      results.push({ kind: "made", slot, shape, size: sizeOf(shape), capacity: t.cache?.capacity ?? null });
    } else {
      return null;
    }
    if (t.cache !== null) last.set(slot, { of: "result", index: i, length: shape[1] });
  }
  return { template, results };
}
