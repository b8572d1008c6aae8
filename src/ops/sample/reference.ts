import type { Floats } from "../../tensor.ts";
import { pcg4d } from "./pcg4d.ts";

/**
 * ids = argmax(logits / temperature + Gumbel noise) over the logits that top-k and top-p keep, row by row. The
 * index of the draw is base + step.
 */
export function sample(
  ids: Floats,
  logits: Floats,
  step: Floats | null,
  rows: number,
  vocabulary: number,
  temperature: number,
  topK: number,
  topP: number,
  seed: number,
  base: number,
): void {
  const draw = base + (step === null ? 0 : step[0]);
  for (let row = 0; row < rows; row++) {
    const at = row * vocabulary;
    let top = -Infinity;
    for (let i = 0; i < vocabulary; i++) top = Math.max(top, logits[at + i]);
    // An infinite logit is larger than any other, with or without noise.
    const greedy = temperature === 0 || topK === 1 || Math.abs(top) === Infinity;
    const least = greedy
      ? -Infinity
      : threshold(logits.subarray(at, at + vocabulary), temperature, topK, topP);
    let best = -1, highest = -Infinity;
    for (let i = 0; i < vocabulary; i++) {
      const logit = logits[at + i];
      if (Number.isNaN(logit)) {
        best = NaN;
        break;
      }
      if (logit < least) continue;
      // The difference from the largest is 0 for the largest itself at any temperature, even if its quotient would
      // overflow.
      const score = greedy ? logit : (logit - top) / temperature + gumbel(seed, draw, row, i);
      if (best < 0 || score > highest) {
        best = i;
        highest = score;
      }
    }
    ids[row] = best;
  }
}

/** The least logit that top-k and top-p keep; ties with it are kept too. */
function threshold(logits: Floats, temperature: number, topK: number, topP: number): number {
  if (topK === 0 && topP === 1) return -Infinity;
  const falling = Float64Array.from(logits).sort().reverse();
  let least = topK > 0 && topK < falling.length ? falling[topK - 1] : -Infinity;
  if (topP < 1) {
    const kept = falling.filter((logit) => logit >= least);
    const shares = kept.map((logit) => Math.exp((logit - falling[0]) / temperature));
    const enough = topP * shares.reduce((sum, share) => sum + share, 0);
    for (let i = 0, sum = 0; i < kept.length && !(sum >= enough); i++) {
      sum += shares[i];
      least = kept[i];
    }
  }
  return least;
}

/** Gumbel noise, -ln(-ln u), where u between 0 and 1 is determined by the four counters. */
function gumbel(seed: number, draw: number, row: number, id: number): number {
  const u = ((pcg4d(seed, draw, row, id) >>> 9) + 0.5) * 2 ** -23;
  return -Math.log(-Math.log(u));
}
