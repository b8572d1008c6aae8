/**
 * Arithmetic beyond the range of single precision, in WGSL. Shaders compute as usual, and use these functions to
 * recompute the few results that are not finite because an intermediate value overflowed.
 *
 * @module
 */

/**
 * Numbers m·2^e with m from 1 to 2, or 0; infinities and NaN have an exponent above all others. Each product is
 * rounded before it is added, even if a compiler fuses operations, so that equal products cancel. Needs `nan` of
 * `wgsl.ts`.
 */
export const wideNumbers = `
struct Wide { m: f32, e: i32 }

// 2^n from 2^-126 to 2^127
fn twoTo(n: i32) -> f32 {
  return bitcast<f32>(u32(n + 127) << 23u);
}

fn normalized(m: f32, e: i32) -> Wide {
  let bits = bitcast<u32>(m);
  let exponent = (bits >> 23u) & 0xffu;
  if (exponent == 0u) { return Wide(0.0, -1048576); }
  if (exponent == 255u) { return Wide(m, 1048576); }
  return Wide(bitcast<f32>((bits & 0x807fffffu) | 0x3f800000u), e + i32(exponent) - 127);
}

fn wide(x: f32) -> Wide {
  return normalized(x, 0);
}

fn wideProduct(a: Wide, b: Wide) -> Wide {
  return normalized(a.m * b.m, a.e + b.e);
}

fn wideSum(a: Wide, b: Wide) -> Wide {
  let e = max(a.e, b.e);
  return normalized(a.m * twoTo(max(a.e - e, -126)) + b.m * twoTo(max(b.e - e, -126)), e);
}

fn negative(a: Wide) -> Wide {
  return Wide(-a.m, a.e);
}

// Saturates to 0 or infinity.
fn narrow(a: Wide) -> f32 {
  let e = clamp(a.e, -250, 250);
  let half = e >> 1u;
  return a.m * twoTo(half) * twoTo(e - half);
}
`;

/** Statements that compute a variable `sum` of `count` addends, each an expression in its index. */
export function wideSumOf(count: string, addend: (i: string) => string): string {
  return `var sum = wide(0.0);
  // NaN stays NaN.
  for (var i = 0u; i < ${count} && !isNan(sum.m); i++) { sum = wideSum(sum, ${addend("i")}); }`;
}
