import { exp } from "../../backends/wasm/math.as";
import { inPanels, multiply, pack, packTransposed } from "../../backends/wasm/panels.as";
import { largest, madd, read, sum, write } from "../../backends/wasm/vectors.as";
import { dot4 } from "../linear/kernel.as";

/** So many keys are taken at a time: their rows stay in the first-level cache from one head to the next. */
const KEYS: i32 = 64;
/** So many heads go over the keys together, each with its largest score and its sum so far. */
const HEADS: i32 = 64;
const weights = memory.data(64 << 2, 16);
const tops = memory.data(64 << 2);
const totals = memory.data(64 << 2);

/** y_i = Σ_j softmax_j(q_i·k_j / √N) v_j over the keys j up to the query's own, head by head. */
export function attention(
  y: usize,
  query: usize,
  key: usize,
  value: usize,
  batch: i32,
  queryTime: i32,
  keyTime: i32,
  keyCapacity: i32,
  valueCapacity: i32,
  channels: i32,
  heads: i32,
  scratch: usize,
): void {
  const size = channels / heads;
  const row = (<usize> channels) << 2;
  for (let b = 0; b < batch; b++) {
    if (scratch) {
      for (let head = 0; head < heads; head++) {
        const at = (<usize> (head * size)) << 2;
        attendTogether(y + at, query + at, key + at, value + at, queryTime, keyTime, size, row, scratch);
      }
    } else {
      for (let i = 0; i < queryTime; i++) {
        const seen = keyTime - queryTime + i + 1;
        const from = <usize> i * row;
        for (let head = 0; head < heads; head += HEADS) {
          const at = (<usize> (head * size)) << 2;
          const x = from + at;
          attend(y + x, query + x, key + at, value + at, seen, size, row, min(HEADS, heads - head));
        }
      }
    }
    y += row * <usize> queryTime;
    query += row * <usize> queryTime;
    key += row * <usize> keyCapacity;
    value += row * <usize> valueCapacity;
  }
}

/**
 * All queries of one head, four at a time, as products of matrices. The scratch memory has the keys, transposed, and the
 * values in panels, and the scores of four queries.
 */
function attendTogether(
  y: usize,
  query: usize,
  key: usize,
  value: usize,
  queryTime: i32,
  keyTime: i32,
  size: i32,
  row: usize,
  scratch: usize,
): void {
  const scale = f32x4.splat(<f32> (1 / sqrt(<f64> size)));
  const width = (<usize> inPanels(keyTime)) << 2;
  const values = scratch + <usize> size * width;
  const scores = values + (<usize> (inPanels(size) * keyTime) << 2);
  packTransposed(scratch, key, row, keyTime, size);
  pack(values, value, row, keyTime, size);
  for (let i = 0; i < queryTime; i += 4, y += 4 * row, query += 4 * row) {
    const count = min(4, queryTime - i);
    const seen = keyTime - queryTime + i + 1;
    multiply(scores, width, query, row, 4, scratch, <usize> size << 5, count, size, seen + count - 1, false);
    for (let r = 0; r < count; r++) softmax(scores + <usize> r * width, seen + r, scale);
    multiply(y, row, scores, width, 4, values, <usize> keyTime << 5, count, seen, size, false);
    // What the first of the four doesn't see stays out of its product: 0 times what is no number is none.
    for (let r = 1; r < count; r++) {
      for (let j = seen; j < seen + r; j++) {
        const weight = v128.load_splat<f32>(scores + <usize> r * width + (<usize> j << 2));
        addScaled(y + <usize> r * row, weight, value + <usize> j * row, size);
      }
    }
  }
}

/** Turns the first `seen` scores of a row to weights; those behind them, up to a multiple of four, become 0. */
function softmax(scores: usize, seen: i32, scale: v128): void {
  const last = scores + (<usize> seen << 2);
  const end = scores + (<usize> ((seen + 3) & ~3) << 2);
  for (let at = last; at < end; at += 4) store<f32>(at, -Infinity);
  let most = f32x4.splat(-Infinity);
  for (let at = scores; at < end; at += 16) most = f32x4.pmax(most, v128.load(at));
  const top = f32x4.splat(largest(f32x4.mul(most, scale)));
  let all = f32x4.splat(0);
  for (let at = scores; at < end; at += 16) {
    const weight = exp(f32x4.sub(f32x4.mul(v128.load(at), scale), top));
    v128.store(at, weight);
    all = f32x4.add(all, weight);
  }
  const share = f32x4.splat(1 / sum(all));
  for (let at = scores; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), share));
}

/** y += weight · x */
function addScaled(y: usize, weight: v128, x: usize, size: i32): void {
  for (let c = 0; c < size; c += 4, y += 16, x += 16) {
    const count = min(4, size - c);
    write(y, madd(weight, read(x, count), read(y, count)), count);
  }
}

/**
 * One query, `heads` heads of `size` channels. The softmax runs along: when a block of keys brings a larger score, what
 * was added up before is scaled down.
 */
function attend(
  y: usize,
  query: usize,
  key: usize,
  value: usize,
  seen: i32,
  size: i32,
  row: usize,
  heads: i32,
): void {
  const step = (<usize> size) << 2;
  const end = step * <usize> heads;
  for (let c: usize = 0; c < end; c += 4) store<f32>(y + c, 0);
  for (let head = 0; head < heads; head++) {
    store<f32>(tops + (<usize> head << 2), -1e38);
    store<f32>(totals + (<usize> head << 2), 0);
  }
  for (let first = 0; first < seen; first += KEYS) {
    const count = min(KEYS, seen - first);
    for (let head = 0; head < heads; head++) {
      const at = step * <usize> head;
      attendBlock(y + at, query + at, key + at, value + at, count, size, row, <usize> head << 2);
    }
    key += row * <usize> count;
    value += row * <usize> count;
  }
  for (let head = 0; head < heads; head++) {
    const total = load<f32>(totals + (<usize> head << 2));
    for (const last = y + step; y < last; y += 4) store<f32>(y, load<f32>(y) / total);
  }
}

/** One query of one head over one block of keys. */
function attendBlock(
  y: usize,
  query: usize,
  key: usize,
  value: usize,
  count: i32,
  size: i32,
  row: usize,
  head: usize,
): void {
  const scale = f32x4.splat(<f32> (1 / sqrt(<f64> size)));
  const top = load<f32>(tops + head);
  let scores = f32x4.splat(top);
  for (let j = 0; j < count; j += 4, key += 4 * row) {
    // Past the last key it stands again, which changes no maximum.
    const score = f32x4.mul(dot4(key, row, min(4, count - j), query, size), scale);
    v128.store(weights + ((<usize> j) << 2), score);
    scores = f32x4.pmax(scores, score);
  }
  const next = largest(scores);
  const shrink = f32x4.extract_lane(exp(f32x4.splat(top - next)), 0);
  store<f32>(tops + head, next);

  let block = f32x4.splat(0);
  for (let j = 0; j < count; j += 4) {
    const at = weights + ((<usize> j) << 2);
    v128.store(at, exp(f32x4.sub(v128.load(at), f32x4.splat(next))));
    block = f32x4.add(block, read(at, min(4, count - j)));
  }
  store<f32>(totals + head, load<f32>(totals + head) * shrink + sum(block));
  addValues(y, value, count, (<usize> size) << 2, row, shrink);
}

/**
 * y = shrink · y + Σ_j weights_j v_j, eight channels at a time. Four keys add up side by side, or each would wait for
 * the one before.
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

/** So many queries go back together. */
const QUERIES: i32 = 16;

/**
 * With d_ij = p_ij (gy_i·v_j - gy_i·y_i) / √N: gq_i = Σ_j d_ij k_j, gk_j = Σ_i d_ij q_i, gv_j = Σ_i p_ij gy_i. The
 * weights p are made again from queries and keys.
 */
export function attentionBackward(
  gQuery: usize,
  gKey: usize,
  gValue: usize,
  gy: usize,
  query: usize,
  key: usize,
  value: usize,
  y: usize,
  batch: i32,
  queryTime: i32,
  keyTime: i32,
  keyCapacity: i32,
  valueCapacity: i32,
  channels: i32,
  heads: i32,
  scratch: usize,
): void {
  const size = channels / heads;
  const row = (<usize> channels) << 2;
  memory.fill(gKey, 0, row * <usize> (batch * keyTime));
  memory.fill(gValue, 0, row * <usize> (batch * keyTime));
  for (let b = 0; b < batch; b++) {
    const q = row * <usize> (b * queryTime), k = row * <usize> (b * keyTime);
    for (let head = 0; head < heads; head++) {
      const at = (<usize> (head * size)) << 2;
      goBack(
        gQuery + q + at,
        gKey + k + at,
        gValue + k + at,
        gy + q + at,
        query + q + at,
        key + row * <usize> (b * keyCapacity) + at,
        value + row * <usize> (b * valueCapacity) + at,
        y + q + at,
        queryTime,
        keyTime,
        size,
        row,
        scratch,
      );
    }
  }
}

/**
 * All queries of one head. The scratch memory has the keys, the keys and the values transposed, and of the queries that go
 * together their weights p, their d, gy and themselves; all but p and d are in panels.
 */
function goBack(
  gQuery: usize,
  gKey: usize,
  gValue: usize,
  gy: usize,
  query: usize,
  key: usize,
  value: usize,
  y: usize,
  queryTime: i32,
  keyTime: i32,
  size: i32,
  row: usize,
  scratch: usize,
): void {
  const scale = <f32> (1 / sqrt(<f64> size));
  const width = (<usize> inPanels(keyTime)) << 2;
  const apart = (<usize> size) << 5, keysApart = (<usize> keyTime) << 5;
  const turnedKeys = scratch;
  const turnedValues = turnedKeys + <usize> size * width;
  const keys = turnedValues + <usize> size * width;
  const weights = keys + ((<usize> (inPanels(size) * keyTime)) << 2);
  const slopes = weights + <usize> QUERIES * width;
  const queries = slopes + <usize> QUERIES * width;
  const gys = queries + ((<usize> (QUERIES * inPanels(size))) << 2);
  packTransposed(turnedKeys, key, row, keyTime, size);
  packTransposed(turnedValues, value, row, keyTime, size);
  pack(keys, key, row, keyTime, size);
  for (let i = 0; i < queryTime; i += QUERIES) {
    const count = min(QUERIES, queryTime - i);
    const seen = keyTime - queryTime + i + 1, all = seen + count - 1;
    const at = <usize> i * row, countApart = (<usize> count) << 5;
    multiply(weights, width, query + at, row, 4, turnedKeys, apart, count, size, all, false);
    multiply(slopes, width, gy + at, row, 4, turnedValues, apart, count, size, all, false);
    for (let r = 0; r < count; r++) {
      const from = at + <usize> r * row, to = <usize> r * width;
      softmax(weights + to, seen + r, f32x4.splat(scale));
      slope(slopes + to, weights + to, seen + r, all, dot(gy + from, y + from, size), scale);
    }
    pack(queries, query + at, row, count, size);
    pack(gys, gy + at, row, count, size);
    multiply(gQuery + at, row, slopes, width, 4, keys, keysApart, count, all, size, false);
    multiply(gKey, row, slopes, 4, width, queries, countApart, all, count, size, true);
    multiply(gValue, row, weights, 4, width, gys, countApart, all, count, size, true);
  }
}

/**
 * Turns the products gy_i·v_j of one query to d_ij. It has `seen` keys; what other queries see behind them, up to `all`,
 * becomes 0, in the weights too.
 */
function slope(slopes: usize, weights: usize, seen: i32, all: i32, mean: f32, scale: f32): void {
  for (let j = seen; j < all; j++) {
    store<f32>(slopes + (<usize> j << 2), 0);
    store<f32>(weights + (<usize> j << 2), 0);
  }
  const end = (<usize> ((seen + 3) & ~3)) << 2;
  for (let at: usize = 0; at < end; at += 16) {
    const along = f32x4.mul(f32x4.sub(v128.load(slopes + at), f32x4.splat(mean)), f32x4.splat(scale));
    v128.store(slopes + at, f32x4.mul(v128.load(weights + at), along));
  }
}

function dot(a: usize, b: usize, size: i32): f32 {
  let products = f32x4.splat(0);
  for (let c = 0; c < size; c += 4, a += 16, b += 16) {
    const count = min(4, size - c);
    products = madd(read(a, count), read(b, count), products);
  }
  return sum(products);
}
