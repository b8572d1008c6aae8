import { exp, log } from "../../backends/wasm/doubles.as";
import { pcg4d } from "./pcg4d.as";

/** An upper bound of Gumbel noise of 23 bits. */
const MOST_NOISE: f64 = 16.7;

/**
 * ids = argmax(logits / temperature + Gumbel noise) over the logits that top-k and top-p keep, row by row. The
 * index of the draw is base + step, or base without a step.
 */
export function sample(
  ids: usize,
  logits: usize,
  step: usize,
  rows: i32,
  vocabulary: i32,
  temperature: f64,
  topK: i32,
  topP: f64,
  seed: i32,
  base: i32,
): void {
  const draw = step == 0 ? base : base + <i32> (<u32> load<f32>(step));
  const end = (<usize> vocabulary) << 2;
  for (let row = 0; row < rows; row++, ids += 4, logits += end) {
    store<f32>(ids, choose(logits, end, temperature, topK, topP, seed, draw, row));
  }
}

function choose(
  logits: usize,
  size: usize,
  temperature: f64,
  topK: i32,
  topP: f64,
  seed: i32,
  draw: i32,
  row: i32,
): f32 {
  let top = <f32> -Infinity;
  for (let at: usize = 0; at < size; at += 4) {
    const logit = load<f32>(logits + at);
    if (logit != logit) return NaN;
    top = max(top, logit);
  }
  // An infinite logit is larger than any other, with or without noise.
  const greedy = temperature == 0 || topK == 1 || abs(top) == Infinity;
  const least = greedy ? <f32> -Infinity : threshold(logits, size, top, temperature, topK, topP);
  let best: i32 = -1;
  let highest: f64 = -Infinity;
  for (let at: usize = 0; at < size; at += 4) {
    const logit = load<f32>(logits + at);
    if (logit < least) continue;
    let score: f64 = logit;
    const id = <i32> (at >> 2);
    if (!greedy) {
      // The difference from the largest is 0 for the largest itself at any temperature, even if its quotient would
      // overflow.
      score = (score - <f64> top) / temperature;
      if (score + MOST_NOISE > highest) score += gumbel(seed, draw, row, id);
    }
    if (best < 0 || score > highest) {
      best = id;
      highest = score;
    }
  }
  return <f32> best;
}

/**
 * The least logit that top-k and top-p keep. Floats have the order of their bits as integers (with negative ones
 * inverted), so it is found by bisection, without sorting and without memory.
 */
function threshold(logits: usize, size: usize, top: f32, temperature: f64, topK: i32, topP: f64): f32 {
  let least = rank(-Infinity);
  if (topK > 0 && <usize> topK < size >> 2) {
    let above = rank(Infinity) + 1;
    while (above - least > 1) {
      const middle = least + (above - least) / 2;
      let count = 0;
      for (let at: usize = 0; at < size; at += 4) count += <i32> (rank(load<f32>(logits + at)) >= middle);
      if (count >= topK) least = middle;
      else above = middle;
    }
  }
  if (topP < 1) {
    let above = rank(top) + 1;
    const enough = topP * shares(logits, size, top, temperature, least, above);
    let sum: f64 = 0;
    while (above - least > 1) {
      const middle = least + (above - least) / 2;
      const more = shares(logits, size, top, temperature, middle, above);
      if (sum + more >= enough) {
        least = middle;
      } else {
        above = middle;
        sum += more;
      }
    }
  }
  return unrank(least);
}

/** Σ e^((logit - top) / temperature) over the logits whose rank is at least `least` and below `above`. */
function shares(logits: usize, size: usize, top: f32, temperature: f64, least: u32, above: u32): f64 {
  let sum: f64 = 0;
  for (let at: usize = 0; at < size; at += 4) {
    const logit = load<f32>(logits + at);
    const place = rank(logit);
    if (place >= least && place < above) sum += exp((<f64> logit - <f64> top) / temperature);
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function rank(x: f32): u32 {
  // Adding 0 turns -0 into 0.
  const bits = reinterpret<u32>(x + 0);
  return bits >> 31 ? ~bits : bits | 0x80000000;
}

function unrank(place: u32): f32 {
  return reinterpret<f32>(place >> 31 ? place & 0x7FFFFFFF : ~place);
}

/** Gumbel noise, -ln(-ln u), where u between 0 and 1 is determined by the four counters. */
function gumbel(seed: i32, draw: i32, row: i32, id: i32): f64 {
  const u = (<f64> (pcg4d(seed, draw, row, id) >>> 9) + 0.5) * (1.0 / 8388608);
  return -log(-log(u));
}
