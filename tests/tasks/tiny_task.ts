import { type MotifTask, motifTask } from "../../src/tasks/mod.ts";

/**
 * Tasks so small that all sequences can be listed, and with so many similar motifs that they are hard to distinguish.
 */
export const tinyTasks: readonly MotifTask[] = [
  motifTask({ vocabulary: 3, motifs: 3, motifLength: 2, shortestCycle: 1, longestCycle: 3 }, 4),
  motifTask({ vocabulary: 2, motifs: 4, motifLength: 3, shortestCycle: 2, longestCycle: 2, flip: 0.5 }, 1),
  motifTask(
    { vocabulary: 4, motifs: 3, motifLength: 2, shortestCycle: 1, longestCycle: 2, alternatives: 3, flip: 1 },
    2,
  ),
  motifTask({ vocabulary: 3, motifs: 2, motifLength: 3, shortestCycle: 1, longestCycle: 2, flip: 0 }, 3),
];

/**
 * Every sequence of a task and its probability, by listing everything that the equation of `motifTask` draws: the
 * length of the cycle, its motifs, whether each slot flips, and to which token.
 */
export function listSequences(task: MotifTask, length: number): Map<string, number> {
  const { motifs, motifLength, shortestCycle, longestCycle, flip } = task.config;
  const sequences = new Map<string, number>();

  function write(cycle: readonly number[], tokens: readonly number[], probability: number) {
    const t = tokens.length;
    if (probability === 0) return;
    if (t === length) {
      const key = tokens.join();
      sequences.set(key, (sequences.get(key) ?? 0) + probability);
      return;
    }
    const { tokens: fixed, slot, alternatives } =
      task.bank[cycle[Math.floor(t / motifLength) % cycle.length]];
    if (t % motifLength !== slot) return write(cycle, [...tokens, fixed[t % motifLength]], probability);
    const again = t >= cycle.length * motifLength;
    const drawn = probability * (again ? flip : 1) / alternatives.length;
    for (const token of alternatives) write(cycle, [...tokens, token], drawn);
    if (again) write(cycle, [...tokens, tokens[t - cycle.length * motifLength]], probability * (1 - flip));
  }

  function choose(size: number, cycle: readonly number[], probability: number) {
    if (cycle.length === size) return write(cycle, [], probability);
    for (let motif = 0; motif < motifs; motif++) {
      if (!cycle.includes(motif)) choose(size, [...cycle, motif], probability / (motifs - cycle.length));
    }
  }

  for (let size = shortestCycle; size <= longestCycle; size++) {
    choose(size, [], 1 / (longestCycle - shortestCycle + 1));
  }
  return sequences;
}
