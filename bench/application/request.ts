/**
 * What is measured in a process of its own.
 *
 * @module
 */
import { denoRun, outputOf } from "../measure/process.ts";
import type { ModelName, PresetName } from "../measure/subjects.ts";

export type Claim = "gaps" | "aborts" | "tokens" | "training" | "steps";

export interface Request {
  readonly claim: Claim;
  readonly backend: string;
  /** Of gaps and aborts; loops of one's own are of one size. */
  readonly preset: PresetName;
  readonly model: ModelName;
  /** Steps of a loop, or the tokens of a stream; null: as many as the claim says. */
  readonly count: number | null;
}

/** Asks a fresh process. */
export async function askFreshProcess<Answer>(request: Request): Promise<Answer> {
  const printed = await outputOf(denoRun(new URL("child.ts", import.meta.url), JSON.stringify(request)));
  // A driver may print before it.
  return JSON.parse(printed.trim().split("\n").at(-1)!);
}
