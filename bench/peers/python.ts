/**
 * A Python process that holds a model.
 *
 * @module
 */
import { type PeerProcess, startProcess } from "./process.ts";
import { type Case, leavesOf } from "./weights.ts";

const python = "/usr/bin/python3";

/**
 * Starts a script beside this file and gives it a model: a line of JSON, then the weights as little-endian float32.
 *
 * @param options what the line says besides which model it is and what its weights are called
 * @throws {Error} (as a rejection) with the reason where there is no Python, or the process ends early
 */
export async function startPython(script: string, subject: Case, options: object): Promise<PeerProcess> {
  const process = startProcess(python, [new URL(script, import.meta.url).pathname]);
  const leaves = leavesOf(subject.weights);
  const weights = leaves.map(([name, { shape }]) => [name, shape]);
  const header = JSON.stringify({ ...describe(subject), weights, ...options }) + "\n";
  await process.send(new TextEncoder().encode(header));
  for (const [, { data }] of leaves) await process.send(new Uint8Array(data.buffer));
  return process;
}

function describe(subject: Case) {
  const { model, length } = subject;
  if (model !== "transformer") return { model, length };
  const { heads, rotaryBase } = subject.weights.blocks[0].attention;
  return { model, length, heads, rotaryBase };
}
