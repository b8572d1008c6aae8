/**
 * User-written loops that free nothing, and the memory that they take.
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

/** The speed and memory of a loop. */
export interface LoopRow {
  readonly steps: number;
  readonly stepsPerS: number;
  /** The highest sample of the process's resident memory in each tenth of the run, in bytes. */
  readonly residentTenths: readonly (number | null)[];
  /** The peak of the backend's own count in each tenth, in bytes. */
  readonly backendTenths: readonly (number | null)[];
  /** The peak of the process's resident memory, including its start; null if the system does not report it. */
  readonly processPeak: number | null;
}

/** A step of a loop, which awaits the values that it reads. */
type LoopStep = () => Promise<void>;

/** The time between two samples, in ms. */
const interval = 5;

/** Runs a loop and samples memory between its steps. */
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

/** A step is a token: a forward pass, whose logits are read. */
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

/** A step trains on one sequence of 32 tokens: gradient and update, and its loss is read. */
export async function trainingLoop(backend: Backend): Promise<LoopStep> {
  let params: RwkvParams = await put(rwkv.init(presets.article.rwkv, 1), backend);
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

/** As reported by the operating system, which includes the time between samples. */
function residentPeak(): number | null {
  try {
    const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
    return kilobytes === undefined ? null : 1024 * Number(kilobytes);
  } catch {
    return null;
  }
}
