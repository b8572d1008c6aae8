/**
 * What is measured in a process of its own.
 *
 * @module
 */
import type { ModelName, PresetName } from "../subjects.ts";

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
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("child.ts", import.meta.url).href, JSON.stringify(request)],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder();
  if (!success) {
    throw new Error(
      `Cannot measure ${request.claim}: process of ${
        JSON.stringify(request)
      } must succeed, current error is ${text.decode(stderr).trim()}`,
    );
  }
  // A driver may print before it.
  return JSON.parse(text.decode(stdout).trim().split("\n").at(-1)!);
}
