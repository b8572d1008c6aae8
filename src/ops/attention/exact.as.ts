// Attention in double precision, for a query whose scores, sums of values, or gradients overflow single precision
// although the result does not. Only sums are stored: scores are recomputed wherever they are needed.

import { exp } from "../../backends/wasm/doubles.as";
import { dot } from "../../backends/wasm/exact.as";

// @ts-ignore: decorator
@inline
function product(a: usize, b: usize, size: i32): f64 {
  return dot(a, 4, b, 4, size);
}

/** Whether key j is seen: always, without a mask. */
// @ts-ignore: decorator
@inline
function isShown(mask: usize, j: i32): bool {
  return !mask || load<f32>(mask + ((<usize> j) << 2)) != 0;
}

/** One query of one head; y is 0 if it sees no key. */
export function attendExactly(
  y: usize,
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  seen: i32,
  size: i32,
  row: usize,
): void {
  const scale = 1 / sqrt(<f64> size);
  const top = largestScore(query, key, mask, seen, size, row);
  let total: f64 = 0;
  for (let j = 0, k = key; j < seen; j++, k += row) {
    if (isShown(mask, j)) total += exp((product(query, k, size) - top) * scale);
  }
  const bytes = (<usize> size) << 2;
  for (let c: usize = 0; c < bytes; c += 4) store<f32>(y + c, 0);
  for (let j = 0; j < seen; j++, key += row, value += row) {
    if (!isShown(mask, j)) continue;
    const share = exp((product(query, key, size) - top) * scale) / total;
    for (let c: usize = 0; c < bytes; c += 4) {
      store<f32>(y + c, <f32> (<f64> load<f32>(y + c) + share * <f64> load<f32>(value + c)));
    }
  }
}

/** The largest product of a query and a key, before scaling; ignores NaN. */
function largestScore(query: usize, key: usize, mask: usize, seen: i32, size: i32, row: usize): f64 {
  let top: f64 = -Infinity;
  for (let j = 0; j < seen; j++, key += row) {
    if (!isShown(mask, j)) continue;
    const score = product(query, key, size);
    if (score > top) top = score;
  }
  return top;
}

/** The bytes of a query's statistics: its largest score, the sum of its weights, and gy·y. */
const STATISTICS: usize = 24;

/**
 * The gradient of one head: see `attentionBackward`. The scratch memory holds two sums over the channels, then the
 * statistics of each query.
 */
export function attendBackwardExactly(
  gQuery: usize,
  gKey: usize,
  gValue: usize,
  gy: usize,
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  y: usize,
  queryTime: i32,
  keyTime: i32,
  past: i32,
  size: i32,
  row: usize,
  scratch: usize,
): void {
  const scale = 1 / sqrt(<f64> size);
  const wide = (<usize> size) << 3;
  const other = scratch + wide, statistics = other + wide;
  for (let i = 0; i < queryTime; i++) {
    const at = <usize> i * row, known = statistics + <usize> i * STATISTICS;
    const seen = min(keyTime, past + i + 1);
    const top = largestScore(query + at, key, mask, seen, size, row);
    const mean = product(gy + at, y + at, size);
    let total: f64 = 0;
    for (let j = 0, to: usize = 0; j < seen; j++, to += row) {
      if (isShown(mask, j)) total += exp((product(query + at, key + to, size) - top) * scale);
    }
    store<f64>(known, top), store<f64>(known, total, 8), store<f64>(known, mean, 16);
    memory.fill(scratch, 0, wide);
    for (let j = 0, to: usize = 0; j < seen; j++, to += row) {
      if (!isShown(mask, j)) continue;
      const weight = exp((product(query + at, key + to, size) - top) * scale) / total;
      const slope = weight * (product(gy + at, value + to, size) - mean) * scale;
      addTo(scratch, slope, key + to, size);
    }
    demote(gQuery + at, scratch, size);
  }
  for (let j = 0; j < keyTime; j++) {
    const to = <usize> j * row;
    memory.fill(scratch, 0, 2 * wide);
    // The first query that sees the key, if any does.
    const first = isShown(mask, j) ? max(0, j - past) : queryTime;
    for (let i = first; i < queryTime; i++) {
      const at = <usize> i * row, known = statistics + <usize> i * STATISTICS;
      const above = product(query + at, key + to, size) - load<f64>(known);
      const weight = exp(above * scale) / load<f64>(known, 8);
      const slope = weight * (product(gy + at, value + to, size) - load<f64>(known, 16)) * scale;
      addTo(scratch, slope, query + at, size);
      addTo(other, weight, gy + at, size);
    }
    demote(gKey + to, scratch, size);
    demote(gValue + to, other, size);
  }
}

/** Adds floats times a factor to doubles. */
function addTo(sums: usize, factor: f64, x: usize, count: i32): void {
  for (; count > 0; count--, sums += 8, x += 4) store<f64>(sums, load<f64>(sums) + factor * <f64> load<f32>(x));
}

/** Converts doubles to floats. */
function demote(to: usize, from: usize, count: i32): void {
  for (; count > 0; count--, to += 4, from += 8) store<f32>(to, <f32> load<f64>(from));
}
