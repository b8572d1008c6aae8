/** The first word of the hash pcg4d (Jarzynski, Olano: "Hash Functions for GPU Rendering", 2020). */
export function pcg4d(x: i32, y: i32, z: i32, w: i32): i32 {
  x = x * 1664525 + 1013904223;
  y = y * 1664525 + 1013904223;
  z = z * 1664525 + 1013904223;
  w = w * 1664525 + 1013904223;
  x += y * w;
  y += z * x;
  z += x * y;
  w += y * z;
  x ^= x >>> 16;
  y ^= y >>> 16;
  w ^= w >>> 16;
  return x + y * w;
}

/** The same of four words z at once. */
// @ts-ignore: decorator
@inline
export function pcg4dOfFour(seed: i32, draw: i32, z: v128, salt: i32): v128 {
  const factor = i32x4.splat(1664525), term = i32x4.splat(1013904223);
  // The other words are the same in all lanes until z is mixed in.
  const x0 = seed * 1664525 + 1013904223, y0 = draw * 1664525 + 1013904223, w0 = salt * 1664525 + 1013904223;
  z = i32x4.add(i32x4.mul(z, factor), term);
  const x1 = i32x4.splat(x0 + y0 * w0);
  const y1 = i32x4.add(i32x4.splat(y0), i32x4.mul(z, x1));
  const z1 = i32x4.add(z, i32x4.mul(x1, y1));
  const w1 = i32x4.add(i32x4.splat(w0), i32x4.mul(y1, z1));
  const x2 = v128.xor(x1, i32x4.shr_u(x1, 16));
  const y2 = v128.xor(y1, i32x4.shr_u(y1, 16));
  const w2 = v128.xor(w1, i32x4.shr_u(w1, 16));
  return i32x4.add(x2, i32x4.mul(y2, w2));
}
