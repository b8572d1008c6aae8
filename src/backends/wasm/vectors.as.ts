// Basic operations on 128-bit vectors: multiply-add, rows whose length is not a multiple of four, sums, copies.

/** a·b + c; rounded once where the build has relaxed SIMD. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** c - a·b; rounded once where the build has relaxed SIMD. */
// @ts-ignore: decorator
@inline
export function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

/** Loads the first `count` (1 to 3) of four floats, followed by zeros, without reading past the end of an array. */
export function loadPart(from: usize, count: i32): v128 {
  if (count == 1) return v128.load32_zero(from);
  const pair = v128.load64_zero(from);
  return count == 2 ? pair : v128.load_lane<f32>(from, pair, 2, 8);
}

/** Stores the first `count` (1 to 3) of four floats. */
export function storePart(to: usize, x: v128, count: i32): void {
  if (count == 1) {
    v128.store_lane<f32>(to, x, 0);
    return;
  }
  v128.store_lane<f64>(to, x, 0);
  if (count == 3) v128.store_lane<f32>(to, x, 2, 8);
}

/** Loads the first `count` (1 to 4) of four floats. */
// @ts-ignore: decorator
@inline
export function read(from: usize, count: i32): v128 {
  return count == 4 ? v128.load(from) : loadPart(from, count);
}

/** Stores the first `count` (1 to 4) of four floats. */
// @ts-ignore: decorator
@inline
export function write(to: usize, x: v128, count: i32): void {
  if (count == 4) v128.store(to, x);
  else storePart(to, x, count);
}

/** [Σa, Σb, Σc, Σd] */
// @ts-ignore: decorator
@inline
export function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

/** The sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function sum(x: v128): f32 {
  const pairs = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** The largest of four lanes. A NaN may be ignored: subtracting the result from it gives NaN anyway. */
// @ts-ignore: decorator
@inline
export function largest(x: v128): f32 {
  const pairs = f32x4.pmax(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(pairs, v128.shuffle<f32>(pairs, pairs, 1, 0, 3, 2)), 0);
}

/** Copies `count` floats. For rows of a few hundred, a loop is faster than memory.copy. */
export function copy(to: usize, from: usize, count: i32): void {
  if (count > 1024) {
    memory.copy(to, from, (<usize> count) << 2);
    return;
  }
  const end = from + ((<usize> (count & ~3)) << 2);
  for (; from < end; from += 16, to += 16) v128.store(to, v128.load(from));
  if (count & 3) storePart(to, loadPart(from, count & 3), count & 3);
}

/** y += x */
export function accumulate(y: usize, x: usize, count: i32): void {
  const end = x + ((<usize> (count & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, f32x4.add(v128.load(y), v128.load(x)));
  const rest = count & 3;
  if (rest) storePart(y, f32x4.add(loadPart(y, rest), loadPart(x, rest)), rest);
}

/** Whether none of the floats in `bytes` bytes is NaN or infinite. */
export function areFinite(x: usize, bytes: usize): bool {
  const zero = f32x4.splat(0);
  let a = zero, b = zero, c = zero, d = zero;
  const end = x + bytes, whole = x + (bytes & ~63);
  for (; x < whole; x += 64) {
    a = madd(v128.load(x), zero, a), b = madd(v128.load(x, 16), zero, b);
    c = madd(v128.load(x, 32), zero, c), d = madd(v128.load(x, 48), zero, d);
  }
  let rest: f32 = 0;
  for (; x < end; x += 4) rest += load<f32>(x) * 0;
  return sum(f32x4.add(f32x4.add(a, b), f32x4.add(c, d))) + rest == 0;
}

/** The largest absolute value of `count` floats; ignores NaN. */
export function magnitude(x: usize, count: i32): f32 {
  let a = f32x4.splat(0), b = a;
  const end = x + ((<usize> count) << 2), whole = x + ((<usize> (count & ~7)) << 2);
  for (; x < whole; x += 32) {
    a = f32x4.pmax(a, f32x4.abs(v128.load(x))), b = f32x4.pmax(b, f32x4.abs(v128.load(x, 16)));
  }
  for (; x < end; x += 4) a = f32x4.pmax(a, f32x4.abs(v128.load_splat<f32>(x)));
  return largest(f32x4.pmax(a, b));
}

/** Whether a lane is NaN. Used with sums of zero times each number, which are NaN if a number was infinite or NaN. */
// @ts-ignore: decorator
@inline
export function isSpoiled(x: v128): bool {
  return v128.any_true(f32x4.ne(x, x));
}
