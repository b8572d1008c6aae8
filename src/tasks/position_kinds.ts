/**
 * The kind of memory that each token of a sequence needs.
 *
 * @module
 */
import { show } from "../check.ts";
import { infer } from "./ceiling.ts";
import type { MotifTask } from "./motif_task.ts";
import { checkTokens, checkTokenSequences } from "./score.ts";

/**
 * The memory that predicting a token needs:
 *
 * - `"motif"`, short-term memory: a fixed token inside a motif, determined by the tokens just before it;
 * - `"slot"`, long-term memory: the slot of a motif that recurs;
 * - `"order"`, long-term memory: the first token of a motif that recurs, determined by what followed last time;
 * - `"new"`, chance: the first token or the slot of a motif that is new in the sequence.
 */
export type PositionKind = "motif" | "slot" | "order" | "new";

/**
 * The kind of memory that each token of a sequence needs. The cycle is inferred from the whole sequence; if several
 * are possible, the most probable one is used.
 *
 * @param task a task of `motifTask`
 * @param tokens a sequence of that task, `[T]` ids
 * @returns the kinds `[T]`, entry t for token t
 * @throws {TypeError} if the sequence is not a list, or empty
 * @throws {RangeError} if an id is out of range, or the task cannot generate such a sequence
 *
 * @example
 * ```ts
 * import { motifTask, positionKinds, sampleSequences } from "@seqmix/seqmix";
 *
 * const task = motifTask({}, 1);
 * const [tokens] = sampleSequences(task, { count: 1, length: 128, seed: 2 });
 * console.log(positionKinds(task, tokens).filter((kind) => kind === "slot").length);
 * ```
 */
export function positionKinds(task: MotifTask, tokens: ArrayLike<number>): PositionKind[] {
  const action = "find position kinds";
  checkTokens(action, "tokens", tokens, task.config.vocabulary, 1);
  const { cycle } = infer(task, tokens, action).reduce((a, b) => b.probability > a.probability ? b : a);
  const { motifLength } = task.config;
  return Array.from({ length: tokens.length }, (_, t) => {
    const visit = Math.floor(t / motifLength);
    const place = t % motifLength;
    const isSlot = place === task.bank[cycle[visit % cycle.length]].slot;
    if (place > 0 && !isSlot) return "motif";
    if (visit < cycle.length) return "new";
    return isSlot ? "slot" : "order";
  });
}

/**
 * The accuracy of predictions, by the kind of memory that they need.
 *
 * @param task a task of `motifTask`
 * @param sequences sequences of that task, each `[T]` ids with T at least 2
 * @param predicted for each sequence, at least `[T - 1]`: entry t is the id predicted for token t + 1, as in
 *   `ceiling(...).predicted` or a model's most probable ids; later entries are ignored
 * @returns for each kind, the number of tokens and the share of them that was predicted, NaN if there are none
 * @throws {TypeError} if there is no sequence, one is shorter than 2, or the predictions do not fit them
 * @throws {RangeError} if an id is out of range, or the task cannot generate such a sequence
 *
 * @example
 * ```ts
 * import { accuracyByKind, ceiling, motifTask, sampleSequences } from "@seqmix/seqmix";
 *
 * const task = motifTask({}, 1);
 * const sequences = sampleSequences(task, { count: 20, length: 128, seed: 2 });
 * const byKind = accuracyByKind(task, sequences, ceiling(task, sequences).predicted);
 * console.log(byKind.slot.accuracy); // near 7/8
 * ```
 */
export function accuracyByKind(
  task: MotifTask,
  sequences: readonly ArrayLike<number>[],
  predicted: readonly ArrayLike<number>[],
): Record<PositionKind, { count: number; accuracy: number }> {
  const action = "compute accuracy by kind";
  checkTokenSequences(action, sequences, task.config.vocabulary);
  if (predicted?.length !== sequences.length) {
    throw new TypeError(
      `Cannot ${action}: predicted must be ${sequences.length} lists, current value is ${show(predicted)}`,
    );
  }
  const counts = { motif: 0, slot: 0, order: 0, new: 0 };
  const hits = { motif: 0, slot: 0, order: 0, new: 0 };
  sequences.forEach((tokens, i) => {
    if (!(predicted[i]?.length >= tokens.length - 1)) {
      throw new TypeError(
        `Cannot ${action}: predicted[${i}] must be at least ${tokens.length - 1} ids, current length is ` +
          `${predicted[i]?.length}`,
      );
    }
    positionKinds(task, tokens).forEach((kind, t) => {
      if (t === 0) return;
      counts[kind]++;
      if (predicted[i][t - 1] === tokens[t]) hits[kind]++;
    });
  });
  const of = (kind: PositionKind) => ({ count: counts[kind], accuracy: hits[kind] / counts[kind] });
  return { motif: of("motif"), slot: of("slot"), order: of("order"), new: of("new") };
}
