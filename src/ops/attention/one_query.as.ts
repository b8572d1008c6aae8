import { exp } from "../../backends/wasm/math.as";
import { isSpoiled, largest, madd, read, sum, sums, write } from "../../backends/wasm/vectors.as";
import { dot4 } from "../linear/one_row.as";
import { attendExactly } from "./exact.as";

/** The number of keys in a block: their rows stay in the L1 cache from one head to the next. */
const KEYS: i32 = 64;
/** The most heads that traverse the keys together, each with its largest score and its sum so far. */
export const HEADS: i32 = 64;
const weights = memory.data(64 << 2, 16);
const tops = memory.data(64 << 2);
const totals = memory.data(64 << 2);

/**
 * One query, with `heads` heads of `size` channels. The softmax is computed online: when a block of keys has a
 * larger score, the sums so far are scaled down. With a mask, keys whose number is 0 are not seen.
 */
export function attend(
  y: usize,
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  seen: i32,
  size: i32,
  row: usize,
  heads: i32,
): void {
  const scale: f32 = <f32> (1 / sqrt(<f64> size));
  const step = (<usize> size) << 2;
  const end = step * <usize> heads;
  const firstKey = key, firstValue = value;
  for (let c: usize = 0; c < end; c += 4) store<f32>(y + c, 0);
  for (let head = 0; head < heads; head++) {
    store<f32>(tops + (<usize> head << 2), -1e38);
    store<f32>(totals + (<usize> head << 2), 0);
  }
  for (let first = 0; first < seen; first += KEYS) {
    const count = min(KEYS, seen - first);
    for (let head = 0; head < heads; head++) {
      const at = step * <usize> head;
      const shown = mask ? mask + ((<usize> first) << 2) : 0;
      attendBlock(y + at, query + at, key + at, value + at, shown, count, size, row, <usize> head << 2, scale);
    }
    key += row * <usize> count;
    value += row * <usize> count;
  }
  const zero = f32x4.splat(0);
  for (let head = 0; head < heads; head++, y += step) {
    const total = v128.load_splat<f32>(totals + (<usize> head << 2));
    let spoiled = zero;
    for (let c = 0; c < size; c += 4) {
      const lanes = min(4, size - c), at = y + ((<usize> c) << 2);
      const mean = f32x4.div(read(at, lanes), total);
      // Through memory, because lanes past the end hold 0/total.
      write(at, mean, lanes);
      spoiled = madd(read(at, lanes), zero, spoiled);
    }
    if (isSpoiled(spoiled)) {
      const at = step * <usize> head;
      attendExactly(y, query + at, firstKey + at, firstValue + at, mask, seen, size, row);
    }
  }
}

/** One query of one head over one block of keys. */
function attendBlock(
  y: usize,
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  count: i32,
  size: i32,
  row: usize,
  head: usize,
  scale: f32,
): void {
  const top = load<f32>(tops + head);
  let most = score(query, key, count, size, row, scale, top);
  if (mask) most = hide(mask, count, top);
  const next = largest(most);
  const shrink = f32x4.extract_lane(exp(f32x4.splat(top - next)), 0);
  store<f32>(tops + head, next);

  // A score of -∞ may come from overflow in its parts. It makes the sum NaN, so that `exact.as.ts` recomputes it.
  const least = v128.load(leastScores);
  let block = f32x4.sub(least, least);
  for (let j = 0; j < count; j += 4) {
    const at = weights + ((<usize> j) << 2);
    v128.store(at, exp(f32x4.sub(v128.load(at), f32x4.splat(next))));
    block = f32x4.add(block, read(at, min(4, count - j)));
  }
  store<f32>(totals + head, load<f32>(totals + head) * shrink + sum(block));
  addValues(y, value, count, (<usize> size) << 2, row, shrink);
}

/**
 * Makes the scores of the keys that are not seen -∞, whose weight is 0. Returns the largest score in each lane, at
 * least `top`, and stores the smallest, as {@linkcode score} does.
 */
function hide(mask: usize, count: i32, top: f32): v128 {
  const zero = f32x4.splat(0), lowest = f32x4.splat(-Infinity);
  let most = f32x4.splat(top), least = zero;
  for (let j = 0; j < count; j += 4) {
    const at = (<usize> j) << 2;
    const hidden = f32x4.eq(read(mask + at, min(4, count - j)), zero), scored = v128.load(weights + at);
    const shown = v128.bitselect(lowest, scored, hidden);
    v128.store(weights + at, shown);
    most = f32x4.pmax(most, shown), least = f32x4.pmin(least, v128.bitselect(zero, scored, hidden));
  }
  v128.store(leastScores, least);
  return most;
}

/** For the scores of a block, the minimum of each lane and 0. */
const leastScores = memory.data(16, 16);

/** Writes the scores of a block of keys to the weights. Returns the largest in each lane, at least `top`. */
function score(query: usize, key: usize, count: i32, size: i32, row: usize, scale: f32, top: f32): v128 {
  const scales = f32x4.splat(scale);
  let most = f32x4.splat(top), least = f32x4.splat(0);
  const isShort = size == 8;
  const q0 = isShort ? v128.load(query) : scales, q1 = isShort ? v128.load(query, 16) : scales;
  for (let j = 0; j < count; j += 4, key += 4 * row) {
    let four: v128;
    if (isShort && j + 4 <= count) {
      // The head size of small models, for which the query stays in registers.
      const b = key + row, c = b + row, d = c + row;
      four = sums(
        madd(q1, v128.load(key, 16), f32x4.mul(q0, v128.load(key))),
        madd(q1, v128.load(b, 16), f32x4.mul(q0, v128.load(b))),
        madd(q1, v128.load(c, 16), f32x4.mul(q0, v128.load(c))),
        madd(q1, v128.load(d, 16), f32x4.mul(q0, v128.load(d))),
      );
    } else {
      // Past the last key it is repeated, which changes no maximum.
      four = dot4(key, row, min(4, count - j), query, size);
    }
    const scored = f32x4.mul(four, scales);
    v128.store(weights + ((<usize> j) << 2), scored);
    most = f32x4.pmax(most, scored), least = f32x4.pmin(least, scored);
  }
  v128.store(leastScores, least);
  return most;
}

/**
 * y = shrink · y + Σ_j weights_j v_j, eight channels at a time. Four keys have separate sums, so that additions do
 * not wait for each other.
 */
function addValues(y: usize, value: usize, count: i32, end: usize, row: usize, shrink: f32): void {
  const last = weights + ((<usize> count) << 2);
  const fours = weights + ((<usize> (count & ~3)) << 2);
  const factor = f32x4.splat(shrink);
  let c: usize = 0;
  for (; c + 32 <= end; c += 32) {
    let a0 = f32x4.mul(v128.load(y + c), factor), b0 = f32x4.mul(v128.load(y + c, 16), factor);
    let a1 = f32x4.splat(0), a2 = a1, a3 = a1, b1 = a1, b2 = a1, b3 = a1;
    let from = value + c;
    let at = weights;
    for (; at < fours; at += 16, from += 4 * row) {
      const v1 = from + row, v2 = v1 + row, v3 = v2 + row;
      const w0 = v128.load_splat<f32>(at), w1 = v128.load_splat<f32>(at, 4);
      a0 = madd(w0, v128.load(from), a0), b0 = madd(w0, v128.load(from, 16), b0);
      a1 = madd(w1, v128.load(v1), a1), b1 = madd(w1, v128.load(v1, 16), b1);
      const w2 = v128.load_splat<f32>(at, 8), w3 = v128.load_splat<f32>(at, 12);
      a2 = madd(w2, v128.load(v2), a2), b2 = madd(w2, v128.load(v2, 16), b2);
      a3 = madd(w3, v128.load(v3), a3), b3 = madd(w3, v128.load(v3, 16), b3);
    }
    for (; at < last; at += 4, from += row) {
      const weight = v128.load_splat<f32>(at);
      a0 = madd(weight, v128.load(from), a0), b0 = madd(weight, v128.load(from, 16), b0);
    }
    v128.store(y + c, f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3)));
    v128.store(y + c, f32x4.add(f32x4.add(b0, b1), f32x4.add(b2, b3)), 16);
  }
  for (; c < end; c += 16) {
    const lanes = min(4, <i32> ((end - c) >> 2));
    let a = f32x4.mul(read(y + c, lanes), factor);
    let from = value + c;
    for (let at = weights; at < last; at += 4, from += row) {
      a = madd(v128.load_splat<f32>(at), read(from, lanes), a);
    }
    write(y + c, a, lanes);
  }
}
