/**
 * The delay until a signal aborts a computation of a model.
 *
 * @module
 */
import type { Backend } from "@seqmix/seqmix";
import { median } from "../measure/statistics.ts";
import type { Request } from "./request.ts";
import { evaluateOn, generateTokens, makeSubject, makeTask, promptOf, train } from "./work.ts";

/** The delays of one kind of computation. */
export interface AbortRow {
  readonly doing: string;
  /** From the start of the computation to its end, in ms: includes {@linkcode signalAfter}. */
  readonly medianMs: number;
  readonly longestMs: number;
}

/** The time in ms after which the signal fires. */
export const signalAfter = 50;

/** The number of measured runs, and of those before them to warm up. */
const times = 9, warmUps = 2;

/** Measures one model. */
export async function measureAborts(request: Request, backend: Backend): Promise<AbortRow[]> {
  const subject = await makeSubject(request.preset, request.model, backend);
  const prompt = promptOf(request.count ?? 200_000), task = makeTask(64);
  const sequences = Array.from({ length: 100 }, () => task.test).flat();
  const works: [string, (signal: AbortSignal) => Promise<unknown>][] = [
    ["generate", (signal) => generateTokens(subject, [1], Infinity, signal)],
    ["prompt", (signal) => generateTokens(subject, prompt, 1, signal)],
    ["evaluate", (signal) => evaluateOn(subject, sequences, signal)],
    ["fit", (signal) => train(subject, task, 1000, () => {}, signal)],
  ];
  const rows: AbortRow[] = [];
  for (const [doing, work] of works) {
    const endedMs: number[] = [];
    for (let i = 0; i < warmUps + times; i++) endedMs.push(await untilEnded(work));
    const counted = endedMs.slice(warmUps);
    rows.push({ doing, medianMs: median(counted), longestMs: Math.max(...counted) });
  }
  return rows;
}

async function untilEnded(work: (signal: AbortSignal) => Promise<unknown>): Promise<number> {
  const begun = performance.now(), signal = AbortSignal.timeout(signalAfter);
  try {
    await work(signal);
  } catch (error) {
    if (error === signal.reason) return performance.now() - begun;
    throw error;
  }
  throw new Error(
    "Cannot measure aborts: work must take longer than the signal, current work has finished before",
  );
}
