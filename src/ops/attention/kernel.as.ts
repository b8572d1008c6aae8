import { exp } from "../../backends/wasm/math.as";
import { largest, madd, read, sum, write } from "../../backends/wasm/vectors.as";
import { dot4 } from "../linear/kernel.as";

/** Keys are taken this many at a time; their weights stand in `weights`. */
const BLOCK: i32 = 64;
const weights = memory.data(64 << 2, 16);

/**
 * y_i = Σ_j softmax_j(q_i·k_j / √N) v_j over the keys j up to the query's own, head by head. The softmax runs along:
 * when a block of keys brings a larger score, what was added up before is scaled down.
 */
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
): void {
  const size = channels / heads;
  const row = (<usize> channels) << 2;
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < queryTime; i++, y += row, query += row) {
      const seen = keyTime - queryTime + i + 1;
      for (let head = 0; head < heads; head++) {
        const at = (<usize> (head * size)) << 2;
        attend(y + at, query + at, key + at, value + at, seen, size, row);
      }
    }
    key += row * <usize> keyCapacity;
    value += row * <usize> valueCapacity;
  }
}

/** One query of one head. */
function attend(y: usize, query: usize, key: usize, value: usize, seen: i32, size: i32, row: usize): void {
  const end = (<usize> size) << 2;
  const scale = f32x4.splat(<f32> (1 / sqrt(<f64> size)));
  let top: f32 = -1e38;
  let total: f32 = 0;
  for (let c: usize = 0; c < end; c += 4) store<f32>(y + c, 0);
  for (let first = 0; first < seen; first += BLOCK) {
    const count = min(BLOCK, seen - first);
    let scores = f32x4.splat(-Infinity);
    for (let j = 0; j < count; j += 4) {
      const some = min(4, count - j);
      const score = f32x4.mul(dot4(key + <usize> j * row, row, some, query, size), scale);
      v128.store(weights + ((<usize> j) << 2), score);
      // The last of fewer than four keys stands in for those past the end.
      scores = f32x4.pmax(scores, score);
    }
    const next = max(top, largest(scores));
    const shrink = f32x4.extract_lane(exp(f32x4.splat(top - next)), 0);
    top = next;

    let block = f32x4.splat(0);
    for (let j = 0; j < count; j += 4) {
      const at = weights + ((<usize> j) << 2);
      const share = exp(f32x4.sub(v128.load(at), f32x4.splat(top)));
      v128.store(at, share);
      block = f32x4.add(block, read(at, min(4, count - j)));
    }
    total = total * shrink + sum(block);
    addValues(y, value, count, end, row, shrink);
    key += row * <usize> count;
    value += row * <usize> count;
  }
  for (let c: usize = 0; c < end; c += 4) store<f32>(y + c, load<f32>(y + c) / total);
}

/** y = shrink · y + Σ_j weights_j v_j */
function addValues(y: usize, value: usize, count: i32, end: usize, row: usize, shrink: f32): void {
  const last = weights + ((<usize> count) << 2);
  const factor = f32x4.splat(shrink);
  let c: usize = 0;
  for (; c + 32 <= end; c += 32) {
    let a = f32x4.mul(v128.load(y + c), factor);
    let b = f32x4.mul(v128.load(y + c, 16), factor);
    let from = value + c;
    for (let at = weights; at < last; at += 4, from += row) {
      const weight = v128.load_splat<f32>(at);
      a = madd(weight, v128.load(from), a);
      b = madd(weight, v128.load(from, 16), b);
    }
    v128.store(y + c, a);
    v128.store(y + c, b, 16);
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
