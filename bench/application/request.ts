/**
 * Measurements that run in a process of their own.
 *
 * @module
 */
import { denoRun, outputOf } from "../measure/process.ts";
import type { ModelName, PresetName } from "../measure/subjects.ts";

export type Claim = "gaps" | "aborts" | "tokens" | "training" | "steps";

export interface Request {
  readonly claim: Claim;
  readonly backend: string;
  /** For gaps and aborts; the loops have a fixed size. */
  readonly preset: PresetName;
  readonly model: ModelName;
  /** The steps of a loop, or the tokens of a stream; null: the default of the claim. */
  readonly count: number | null;
}

/** Runs a measurement in a new process. */
export async function runInFreshProcess<Result>(request: Request): Promise<Result> {
  const printed = await outputOf(denoRun(new URL("child.ts", import.meta.url), JSON.stringify(request)));
  // A driver may print before the result.
  return JSON.parse(printed.trim().split("\n").at(-1)!);
}
