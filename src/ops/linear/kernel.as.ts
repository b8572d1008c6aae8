import { loadPart, madd, read, sums, write } from "../../backends/wasm/vectors.as";

/** y = x·Wᵀ + b */
export function linear(
  y: usize,
  x: usize,
  weight: usize,
  bias: usize,
  rows: i32,
  inputs: i32,
  outputs: i32,
): void {
  const row = (<usize> inputs) << 2;
  for (let r = 0; r < rows; r++, x += row) {
    let from = weight;
    for (let output = 0; output < outputs; output += 4, from += 4 * row) {
      const count = min(4, outputs - output);
      let result = dot4(from, row, count, x, inputs);
      if (bias) result = f32x4.add(result, read(bias + ((<usize> output) << 2), count));
      write(y, result, count);
      y += (<usize> count) << 2;
    }
  }
}

/** The dot products of `count` (1 to 4) rows, `row` bytes apart, with x; what is past `count` repeats the last. */
export function dot4(a: usize, row: usize, count: i32, x: usize, size: i32): v128 {
  const b = count > 1 ? a + row : a;
  const c = count > 2 ? b + row : b;
  const d = count > 3 ? c + row : c;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  let t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  const end = (<usize> (size & ~3)) << 2;
  let i: usize = 0;
  for (; i + 32 <= end; i += 32) {
    const x0 = v128.load(x + i), x1 = v128.load(x + i, 16);
    s0 = madd(x0, v128.load(a + i), s0);
    s1 = madd(x0, v128.load(b + i), s1);
    s2 = madd(x0, v128.load(c + i), s2);
    s3 = madd(x0, v128.load(d + i), s3);
    t0 = madd(x1, v128.load(a + i, 16), t0);
    t1 = madd(x1, v128.load(b + i, 16), t1);
    t2 = madd(x1, v128.load(c + i, 16), t2);
    t3 = madd(x1, v128.load(d + i, 16), t3);
  }
  s0 = f32x4.add(s0, t0);
  s1 = f32x4.add(s1, t1);
  s2 = f32x4.add(s2, t2);
  s3 = f32x4.add(s3, t3);
  if (i < end) {
    const x0 = v128.load(x + i);
    s0 = madd(x0, v128.load(a + i), s0);
    s1 = madd(x0, v128.load(b + i), s1);
    s2 = madd(x0, v128.load(c + i), s2);
    s3 = madd(x0, v128.load(d + i), s3);
  }
  const rest = size & 3;
  if (rest) {
    const x0 = loadPart(x + end, rest);
    s0 = madd(x0, loadPart(a + end, rest), s0);
    s1 = madd(x0, loadPart(b + end, rest), s1);
    s2 = madd(x0, loadPart(c + end, rest), s2);
    s3 = madd(x0, loadPart(d + end, rest), s3);
  }
  return sums(s0, s1, s2, s3);
}
