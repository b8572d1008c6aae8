/**
 * Loops of one's own, which free nothing, and what memory they take.
 *
 * @module
 */
import {
  adamW,
  type Backend,
  crossEntropy,
  presets,
  put,
  read,
  rwkv,
  type RwkvParams,
  valueAndGrad,
} from "@seqmix/seqmix";
import { Peaks } from "./peaks.ts";

/** What a loop took. */
export interface LoopRow {
  readonly steps: number;
  readonly stepsPerS: number;
  /** The process's resident memory in each tenth of the run, at its highest sample, in bytes. */
  readonly residentTenths: readonly (number | null)[];
  /** The backend's own count, in bytes: the peak of each tenth. */
  readonly backendTenths: readonly (number | null)[];
  /** The most that the process ever had resident, its start included; null where the system doesn't tell. */
  readonly processPeak: number | null;
}

/** One step of a loop, which awaits what it reads. */
export type LoopStep = () => Promise<void>;

/** Between two samples, in ms. */
const interval = 5;

/** Runs a loop; samples memory between its steps. */
export async function sampleLoop(step: LoopStep, backend: Backend, steps: number): Promise<LoopRow> {
  const resident = new Peaks(steps), held = new Peaks(steps);
  const begun = performance.now();
  let due = begun;
  for (let i = 0; i < steps; i++) {
    await step();
    if (performance.now() < due && i < steps - 1) continue;
    resident.note(i, Deno.memoryUsage().rss);
    held.note(i, backend.memory().peakBytes);
    backend.resetPeak();
    due = performance.now() + interval;
  }
  const stepsPerS = 1000 * steps / (performance.now() - begun);
  return {
    steps,
    stepsPerS,
    residentTenths: resident.tenths,
    backendTenths: held.tenths,
    processPeak: residentPeak(),
  };
}

/** A token a step: forward, and its logits read. */
export async function tokenLoop(backend: Backend, vocabulary: number): Promise<LoopStep> {
  const params = await put(rwkv.init({ ...presets.matched.rwkv, vocabulary }, 1), backend);
  let state = rwkv.initialState(params), id = 1;
  return async () => {
    const { logits, state: next } = rwkv.forward(params, [[id]], state);
    const [first] = await read(logits);
    state = next;
    id = (31 * id + 7 + Math.round(Math.abs(first))) % vocabulary;
  };
}

/** A training step on one sequence of 32 tokens: gradient, update, and its loss read. */
export async function trainingLoop(backend: Backend): Promise<LoopStep> {
  let params: RwkvParams = await put(rwkv.init(presets.seed.rwkv, 1), backend);
  let state = adamW.init(params);
  const ids = Array.from({ length: 33 }, (_, i) => (i * 7) % 64);
  return async () => {
    const { value, grads } = valueAndGrad((params) => {
      const { logits } = rwkv.forward(params, [ids.slice(0, 32)], rwkv.initialState(params));
      return crossEntropy(logits, [ids.slice(1)]);
    }, params);
    ({ params, state } = adamW.update(grads, state, params, { learningRate: 1e-3 }));
    await read(value);
  };
}

/** From the kernel, which sees what comes between two samples. */
function residentPeak(): number | null {
  try {
    const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
    return kilobytes === undefined ? null : 1024 * Number(kilobytes);
  } catch {
    return null;
  }
}
