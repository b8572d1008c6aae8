/**
 * What a backend's own count says that a token takes.
 *
 * @module
 */
import type { Backend } from "@seqmix/seqmix";
import { openBackend } from "./backends.ts";
import type { MemoryCount } from "./report/result.ts";
import { type Cell, checkLogits, Step, type Subject, taskSequence } from "./subjects.ts";

/**
 * Counts on a backend of its own:
 *
 * - weights: held once the parameters are there;
 * - state: held between tokens on top of that, a key-value cache with room for exactly the context;
 * - activations: the most that a step held on top of both, the logits and the state that it leaves included.
 *
 * @param cell what is counted
 * @param make puts the cell's model on the backend
 */
export async function countMemory(
  cell: Cell,
  make: (backend: Backend) => Subject | Promise<Subject>,
): Promise<MemoryCount> {
  using backend = await openBackend(cell.backend);
  const subject = await make(backend);
  const weightBytes = backend.memory().bytes;
  using step = new Step(subject, cell.mode, taskSequence(cell.length));
  const held = backend.memory().bytes;
  backend.resetPeak();
  const logits = await step.nextLogits();
  const { peakBytes } = backend.memory();
  checkLogits(`${cell.preset} ${cell.model} on ${cell.backend}`, logits, logits); // are finite
  return {
    weightBytes,
    stateBytes: held - weightBytes,
    activationBytes: peakBytes - held,
    totalBytes: peakBytes,
  };
}
