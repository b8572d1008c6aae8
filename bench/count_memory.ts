/**
 * What a backend's own count says that a token takes.
 *
 * @module
 */
import { openBackend } from "./backends.ts";
import type { MemoryCount } from "./report/result.ts";
import { type Cell, checkLogits, makeSubject, Step, taskSequence } from "./subjects.ts";

/**
 * Counts on a backend of its own:
 *
 * - weights: held once the parameters are there;
 * - state: held between tokens on top of that, a key-value cache with room for exactly the context;
 * - activations: the most that a step held on top of both, the logits and the state that it leaves included.
 */
export async function countMemory(cell: Cell): Promise<MemoryCount> {
  using backend = await openBackend(cell.backend);
  const subject = await makeSubject(cell.preset, cell.model, backend);
  const weightBytes = backend.memory().bytes;
  using step = new Step(subject, cell.mode, taskSequence(cell.length));
  const held = backend.memory().bytes;
  backend.resetPeak();
  const logits = await step.nextLogits();
  checkLogits(`${cell.preset} ${cell.model} on ${cell.backend}`, logits, logits); // finite
  const { peakBytes } = backend.memory();
  return {
    weightBytes,
    stateBytes: held - weightBytes,
    activationBytes: peakBytes - held,
    totalBytes: peakBytes,
  };
}
