/**
 * Arithmetic past the range of single precision, in WGSL, for the few results of which a part is infinite though they are
 * not: a shader computes as usual, and what does not come out finite once more with these.
 *
 * @module
 */

/**
 * Numbers m·2^e with m from 1 to 2, or 0; what is not finite has an exponent above all others. Each product is rounded before
 * it is added, whatever a compiler fuses, so that equal ones cancel. Needs `nan` of `wgsl.ts`.
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

// From 0 to infinity.
fn narrow(a: Wide) -> f32 {
  let e = clamp(a.e, -250, 250);
  let half = e >> 1u;
  return a.m * twoTo(half) * twoTo(e - half);
}
`;

/** Statements for a variable `sum` of so many addends, each an expression in its number. */
export function wideSumOf(count: string, addend: (i: string) => string): string {
  return `var sum = wide(0.0);
  // NaN stays NaN.
  for (var i = 0u; i < ${count} && !isNan(sum.m); i++) { sum = wideSum(sum, ${addend("i")}); }`;
}
