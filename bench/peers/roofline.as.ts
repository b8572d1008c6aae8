// Measures the limits of the machine. Shares the memory and the linear kernel of an instance of the library's
// module.

/** The library's kernel, imported. */
declare function linear(
  y: usize,
  x: usize,
  weight: usize,
  bias: usize,
  rows: i32,
  inputs: i32,
  outputs: i32,
): void;

/** Runs the single-row products of a table with five numbers for each: y, x, weight, inputs, outputs. */
export function products(table: usize, count: i32): void {
  for (let i = 0; i < count; i++, table += 20) {
    linear(
      load<u32>(table),
      load<u32>(table, 4),
      load<u32>(table, 8),
      0,
      1,
      load<i32>(table, 12),
      load<i32>(table, 16),
    );
  }
}

/** Reads an array, a multiple of 128 bytes, with just enough arithmetic to keep the loads. */
export function readAll(from: usize, bytes: usize): i32 {
  let a = i32x4.splat(0), b = a, c = a, d = a;
  for (const end = from + bytes; from < end; from += 128) {
    a = v128.xor(a, v128.xor(v128.load(from), v128.load(from, 64)));
    b = v128.xor(b, v128.xor(v128.load(from, 16), v128.load(from, 80)));
    c = v128.xor(c, v128.xor(v128.load(from, 32), v128.load(from, 96)));
    d = v128.xor(d, v128.xor(v128.load(from, 48), v128.load(from, 112)));
  }
  return i32x4.extract_lane(v128.xor(v128.xor(a, b), v128.xor(c, d)), 0);
}

/**
 * Performs 48 multiply-adds per round, in registers, in twelve chains: enough to hide their latency. Each chain
 * adds a little of its neighbour, since a constant product would be computed only once. The factor is an argument,
 * since the engine would rebuild a constant at each use.
 */
export function multiplyAdd(rounds: i32, factor: f32): f32 {
  const x = f32x4.splat(factor);
  let a = f32x4.splat(1), b = f32x4.splat(2), c = f32x4.splat(3), d = f32x4.splat(4);
  let e = f32x4.splat(5), f = f32x4.splat(6), g = f32x4.splat(7), h = f32x4.splat(8);
  let i = f32x4.splat(9), j = f32x4.splat(10), k = f32x4.splat(11), l = f32x4.splat(12);
  for (; rounds > 0; rounds--) {
    a = madd(x, b, a);
    b = madd(x, c, b);
    c = madd(x, d, c);
    d = madd(x, e, d);
    e = madd(x, f, e);
    f = madd(x, g, f);
    g = madd(x, h, g);
    h = madd(x, i, h);
    i = madd(x, j, i);
    j = madd(x, k, j);
    k = madd(x, l, k);
    l = madd(x, a, l);
  }
  const all = f32x4.add(
    f32x4.add(f32x4.add(a, b), f32x4.add(c, d)),
    f32x4.add(f32x4.add(e, f), f32x4.add(g, h)),
  );
  return f32x4.extract_lane(f32x4.add(all, f32x4.add(f32x4.add(i, j), f32x4.add(k, l))), 0);
}

/** a·b + c */
function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}
