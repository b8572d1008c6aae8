import { constant, exp, ONE } from "../../backends/wasm/math.as";
import { inPanels, pack, packTransposed } from "../../backends/wasm/panels.as";
import { multiply } from "../../backends/wasm/tiles.as";
import { areFinite, madd, magnitude, read, sum, write } from "../../backends/wasm/vectors.as";
import { attendExactly, attendBackwardExactly } from "./exact.as";
import { attend, HEADS } from "./one_query.as";

/**
 * y_i = Σ_j softmax_j(q_i·k_j / √N) v_j over the keys j that query i sees, head by head; y_i = 0 if there are none.
 * The address of the mask is 0 if there is none.
 */
export function attention(
  y: usize,
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  batch: i32,
  queryTime: i32,
  keyTime: i32,
  keyCapacity: i32,
  valueCapacity: i32,
  maskCapacity: i32,
  channels: i32,
  heads: i32,
  causal: i32,
  scratch: usize,
): void {
  const size = channels / heads;
  const row = (<usize> channels) << 2;
  const past = causal ? keyTime - queryTime : keyTime;
  for (let b = 0; b < batch; b++) {
    if (scratch && !isOrdinary(query, key, value, mask, queryTime, keyTime, channels)) {
      for (let i = 0; i < queryTime; i++) {
        const seen = min(keyTime, past + i + 1);
        for (let head = 0; head < heads; head++) {
          const at = (<usize> (head * size)) << 2, x = <usize> i * row + at;
          attendExactly(y + x, query + x, key + at, value + at, mask, seen, size, row);
        }
      }
    } else if (scratch) {
      for (let head = 0; head < heads; head++) {
        const at = (<usize> (head * size)) << 2;
        attendTogether(y + at, query + at, key + at, value + at, mask, queryTime, keyTime, past, size, row, scratch);
      }
    } else {
      for (let i = 0; i < queryTime; i++) {
        const seen = min(keyTime, past + i + 1);
        const from = <usize> i * row;
        for (let head = 0; head < heads; head += HEADS) {
          const at = (<usize> (head * size)) << 2;
          const x = from + at;
          attend(y + x, query + x, key + at, value + at, mask, seen, size, row, min(HEADS, heads - head));
        }
      }
    }
    y += row * <usize> queryTime;
    query += row * <usize> queryTime;
    key += row * <usize> keyCapacity;
    value += row * <usize> valueCapacity;
    mask += (<usize> maskCapacity) << 2;
  }
}

/** Sums of up to 2^20 products stay finite if the product of their factors' largest magnitudes is below this. */
const MOST: f64 = 1e32;

/**
 * Whether scores and sums of values, with all their partial sums, stay in the range of single precision. With a mask,
 * also whether all is finite, since the joint products give hidden keys weight 0, but 0 times NaN is NaN.
 */
function isOrdinary(
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  queryTime: i32,
  keyTime: i32,
  channels: i32,
): bool {
  const bytes = (<usize> (keyTime * channels)) << 2;
  if (mask && !(areFinite(key, bytes) && areFinite(value, bytes))) return false;
  const queries = <f64> magnitude(query, queryTime * channels), keys = <f64> magnitude(key, keyTime * channels);
  return queries * keys < MOST && <f64> magnitude(value, keyTime * channels) < MOST;
}

/** For eight queries, the reciprocal of the sum of the weights. */
const shares = memory.data(8 << 2, 16);

/**
 * All queries of one head, eight at a time, as matrix products. The scratch memory holds the values in panels,
 * eight queries in a panel, and their scores, one row for each key.
 */
function attendTogether(
  y: usize,
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  queryTime: i32,
  keyTime: i32,
  past: i32,
  size: i32,
  row: usize,
  scratch: usize,
): void {
  const stride = (<usize> keyTime) << 5;
  const queries = scratch + ((<usize> (inPanels(size) * keyTime)) << 2);
  const scores = queries + ((<usize> size) << 5);
  pack(scratch, value, row, keyTime, size);
  for (let i = 0; i < queryTime; i += 8, y += 8 * row, query += 8 * row) {
    const count = min(8, queryTime - i);
    const seen = min(keyTime, past + i + 1), all = min(keyTime, seen + count - 1);
    packTransposed(queries, query, row, count, size);
    multiply(scores, 32, key, row, 4, queries, 0, all, size, 8, false);
    if (mask) hide(scores, 32, mask, all);
    softmax(scores, 32, seen, all, size);
    for (let r = 0; r < count; r += 4) {
      const at = scores + (<usize> r << 2), to = y + <usize> r * row;
      const four = min(4, count - r), first = min(all, seen + r);
      multiply(to, row, at, 4, 32, scratch, stride, four, first, size, false);
      const share = shares + (<usize> r << 2);
      if (first == all) {
        divide(to, share, four, size, row);
      } else {
        complete(to, at + ((<usize> first) << 5), share, value + <usize> first * row, four, size, row);
      }
    }
  }
}

/** Makes the scores of the keys that are not seen -∞, for eight queries. */
function hide(scores: usize, row: usize, mask: usize, count: i32): void {
  const lowest = f32x4.splat(-Infinity);
  for (let j = 0; j < count; j++, scores += row, mask += 4) {
    if (load<f32>(mask) == 0) v128.store(scores, lowest), v128.store(scores, lowest, 16);
  }
}

/** The largest score so far of a query that may see no key. */
const LOWEST: f32 = -f32.MAX_VALUE;

/**
 * Turns scores, in rows of eight queries for each key, into weights that `shares` still has to scale. The first
 * query sees `seen` keys, each other one more, up to all; each sees all if `seen` is.
 */
function softmax(scores: usize, row: usize, seen: i32, all: i32, size: i32): void {
  const scale = f32x4.splat(<f32> (1 / sqrt(<f64> size)));
  for (let j = seen; j < all; j++) {
    const at = scores + <usize> j * row;
    for (let r = 0; r <= j - seen; r++) store<f32>(at + (<usize> r << 2), -Infinity);
  }
  const end = scores + <usize> all * row;
  let most0 = f32x4.splat(LOWEST), most1 = most0;
  for (let at = scores; at < end; at += row) {
    most0 = f32x4.pmax(most0, v128.load(at)), most1 = f32x4.pmax(most1, v128.load(at, 16));
  }
  const top0 = f32x4.mul(most0, scale), top1 = f32x4.mul(most1, scale);
  let sum0 = f32x4.splat(0), sum1 = sum0;
  for (let at = scores; at < end; at += row) {
    const weight0 = exp(f32x4.sub(f32x4.mul(v128.load(at), scale), top0));
    const weight1 = exp(f32x4.sub(f32x4.mul(v128.load(at, 16), scale), top1));
    v128.store(at, weight0), v128.store(at, weight1, 16);
    sum0 = f32x4.add(sum0, weight0), sum1 = f32x4.add(sum1, weight1);
  }
  v128.store(shares, shareOf(sum0)), v128.store(shares, shareOf(sum1), 16);
}

/** The reciprocals of the sums of weights; 0 of a query that sees no key. */
// @ts-ignore: decorator
@inline
function shareOf(sums: v128): v128 {
  const one = constant(ONE), zero = f32x4.splat(0);
  return v128.andnot(f32x4.div(one, sums), f32x4.eq(sums, zero));
}

/**
 * Completes the sums of up to four queries: adds the values that the first query doesn't see, which can't be in the
 * joint product because 0 times NaN is NaN, and divides by the sum of the weights.
 */
function complete(y: usize, weights: usize, share: usize, value: usize, count: i32, size: i32, row: usize): void {
  const y1 = y + row, y2 = y1 + row, y3 = y2 + row;
  for (let c = 0; c < size; c += 4, value += 16) {
    const at = (<usize> c) << 2;
    const lanes = min(4, size - c);
    write(y + at, f32x4.mul(read(y + at, lanes), v128.load_splat<f32>(share)), lanes);
    if (count < 2) continue;
    const a = read(value, lanes);
    const second = madd(v128.load_splat<f32>(weights, 4), a, read(y1 + at, lanes));
    write(y1 + at, f32x4.mul(second, v128.load_splat<f32>(share, 4)), lanes);
    if (count < 3) continue;
    const b = read(value + row, lanes);
    let third = madd(v128.load_splat<f32>(weights, 8), a, read(y2 + at, lanes));
    third = madd(v128.load_splat<f32>(weights, 40), b, third);
    write(y2 + at, f32x4.mul(third, v128.load_splat<f32>(share, 8)), lanes);
    if (count < 4) continue;
    let fourth = madd(v128.load_splat<f32>(weights, 12), a, read(y3 + at, lanes));
    fourth = madd(v128.load_splat<f32>(weights, 44), b, fourth);
    fourth = madd(v128.load_splat<f32>(weights, 76), read(value + 2 * row, lanes), fourth);
    write(y3 + at, f32x4.mul(fourth, v128.load_splat<f32>(share, 12)), lanes);
  }
}

/** The same for queries that see the same keys. */
function divide(y: usize, share: usize, count: i32, size: i32, row: usize): void {
  for (; count > 0; count--, y += row, share += 4) {
    const factor = v128.load_splat<f32>(share);
    for (let c = 0; c < size; c += 4) {
      const at = y + ((<usize> c) << 2), lanes = min(4, size - c);
      write(at, f32x4.mul(read(at, lanes), factor), lanes);
    }
  }
}

/** The number of queries in the backward pass that are computed together if all numbers are finite. */
const QUERIES: i32 = 16;

/**
 * With d_ij = p_ij (gy_i·v_j - gy_i·y_i) / √N: gq_i = Σ_j d_ij k_j, gk_j = Σ_i d_ij q_i, gv_j = Σ_i p_ij gy_i, where
 * p_ij is 0 for keys that query i does not see. The weights p are recomputed from queries and keys.
 */
export function attentionBackward(
  gQuery: usize,
  gKey: usize,
  gValue: usize,
  gy: usize,
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  y: usize,
  batch: i32,
  queryTime: i32,
  keyTime: i32,
  keyCapacity: i32,
  valueCapacity: i32,
  maskCapacity: i32,
  channels: i32,
  heads: i32,
  causal: i32,
  scratch: usize,
): void {
  const size = channels / heads;
  const row = (<usize> channels) << 2;
  memory.fill(gKey, 0, row * <usize> (batch * keyTime));
  memory.fill(gValue, 0, row * <usize> (batch * keyTime));
  const past = causal ? keyTime - queryTime : keyTime;
  const queryBytes = row * <usize> queryTime, pastBytes = row * <usize> past;
  // Of the keys that not every query sees.
  const ownBytes = causal ? queryBytes : 0;
  for (let b = 0; b < batch; b++) {
    const q = queryBytes * <usize> b, k = row * <usize> (b * keyTime);
    const keys = key + row * <usize> (b * keyCapacity), values = value + row * <usize> (b * valueCapacity);
    const shown = mask ? mask + ((<usize> (b * maskCapacity)) << 2) : 0;
    // The joint product gives a query weight 0 for keys that it doesn't see, but 0 times NaN is NaN.
    const finite = areFinite(gy + q, queryBytes) && areFinite(query + q, queryBytes) &&
      areFinite(keys + pastBytes, ownBytes) && areFinite(values + pastBytes, ownBytes);
    // With a mask, any key may be one that is not seen.
    const usable = !mask ||
      finite && areFinite(keys, pastBytes) && areFinite(values, pastBytes) && areFinite(y + q, queryBytes);
    const ordinary = usable && isOrdinaryBackward(query + q, keys, values, gy + q, queryTime, keyTime, channels);
    for (let head = 0; head < heads; head++) {
      const at = (<usize> (head * size)) << 2;
      const gq = gQuery + q + at, gk = gKey + k + at, gv = gValue + k + at, from = q + at;
      if (!ordinary) {
        const inputs = gy + from, results = y + from;
        attendBackwardExactly(gq, gk, gv, inputs, query + from, keys + at, values + at, shown, results, queryTime, keyTime, past, size, row, scratch);
        continue;
      }
      attendBackward(
        gq,
        gk,
        gv,
        gy + from,
        query + from,
        keys + at,
        values + at,
        shown,
        y + from,
        finite ? QUERIES : 1,
        queryTime,
        keyTime,
        past,
        size,
        row,
        scratch,
      );
    }
  }
}

/** The same as {@linkcode isOrdinary} of what is finite, including the gradients. */
function isOrdinaryBackward(
  query: usize,
  key: usize,
  value: usize,
  gy: usize,
  queryTime: i32,
  keyTime: i32,
  channels: i32,
): bool {
  const queries = <f64> magnitude(query, queryTime * channels), keys = <f64> magnitude(key, keyTime * channels);
  const slopes = <f64> magnitude(value, keyTime * channels) * <f64> magnitude(gy, queryTime * channels);
  return queries * keys < MOST && slopes < MOST && slopes * max(queries, keys) < MOST;
}

/** For eight queries, gy_i·y_i. */
const means = memory.data(8 << 2, 16);

/**
 * All queries of one head, up to `together` at a time. The scratch memory holds the keys in panels; the queries and
 * gy of a group, in panels and transposed; then the weights p and the d, one row for each key.
 */
function attendBackward(
  gQuery: usize,
  gKey: usize,
  gValue: usize,
  gy: usize,
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  y: usize,
  together: i32,
  queryTime: i32,
  keyTime: i32,
  past: i32,
  size: i32,
  row: usize,
  scratch: usize,
): void {
  const width = (<usize> QUERIES) << 2;
  const stride = (<usize> size) << 5, keysStride = (<usize> keyTime) << 5;
  const panels = (<usize> inPanels(size)) << 2;
  const queries = scratch + panels * <usize> keyTime, gys = queries + panels * <usize> QUERIES;
  const turnedQueries = gys + panels * <usize> QUERIES, turnedGys = turnedQueries + width * <usize> size;
  const weights = turnedGys + width * <usize> size, slopes = weights + width * <usize> keyTime;
  pack(scratch, key, row, keyTime, size);
  for (let i = 0; i < queryTime; i += together) {
    const count = min(together, queryTime - i);
    const seen = min(keyTime, past + i + 1), all = min(keyTime, seen + count - 1);
    const at = <usize> i * row, countStride = (<usize> count) << 5;
    packTransposed(turnedQueries, query + at, row, count, size);
    packTransposed(turnedGys, gy + at, row, count, size);
    multiply(weights, width, key, row, 4, turnedQueries, stride, all, size, count, false);
    multiply(slopes, width, value, row, 4, turnedGys, stride, all, size, count, false);
    for (let r = 0; r < count; r += 8) {
      const column = (<usize> r) << 2, eight = min(8, count - r);
      const first = min(all, seen + r), last = min(all, seen + r + eight - 1);
      if (mask) hide(weights + column, width, mask, last);
      for (let q = r; q < r + eight; q++) {
        const from = at + <usize> q * row;
        store<f32>(means + ((<usize> (q - r)) << 2), dot(gy + from, y + from, size));
      }
      softmax(weights + column, width, first, last, size);
      slope(slopes + column, weights + column, width, last, all, size);
    }
    pack(queries, query + at, row, count, size);
    pack(gys, gy + at, row, count, size);
    multiply(gQuery + at, row, slopes, 4, width, scratch, keysStride, count, all, size, false);
    multiply(gKey, row, slopes, width, 4, queries, countStride, all, count, size, true);
    multiply(gValue, row, weights, width, 4, gys, countStride, all, count, size, true);
  }
}

/**
 * For eight queries, multiplies the weights by `shares` and turns the products gy_i·v_j into d_ij. The last query
 * sees `seen` keys; entries from there to `all` become 0.
 */
function slope(slopes: usize, weights: usize, row: usize, seen: i32, all: i32, size: i32): void {
  const scale = f32x4.splat(<f32> (1 / sqrt(<f64> size)));
  const share0 = v128.load(shares), share1 = v128.load(shares, 16);
  const mean0 = v128.load(means), mean1 = v128.load(means, 16);
  for (let j = 0; j < seen; j++, slopes += row, weights += row) {
    const weight0 = f32x4.mul(v128.load(weights), share0), weight1 = f32x4.mul(v128.load(weights, 16), share1);
    const along0 = f32x4.mul(f32x4.sub(v128.load(slopes), mean0), scale);
    const along1 = f32x4.mul(f32x4.sub(v128.load(slopes, 16), mean1), scale);
    v128.store(weights, weight0), v128.store(weights, weight1, 16);
    v128.store(slopes, f32x4.mul(weight0, along0)), v128.store(slopes, f32x4.mul(weight1, along1), 16);
  }
  const zero = f32x4.splat(0);
  for (let j = seen; j < all; j++, slopes += row, weights += row) {
    v128.store(weights, zero), v128.store(weights, zero, 16);
    v128.store(slopes, zero), v128.store(slopes, zero, 16);
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
