import * as vector from "../../backends/wasm/math.as";
import { areFinite, isSpoiled, loadPart, madd, storePart } from "../../backends/wasm/vectors.as";

// Four elements at a time; the last one to three go through the same function. (Passing the function to a common
// loop would cost an indirect call for every vector, which AssemblyScript does not inline.)

/** y = a + b */
export function add(y: usize, a: usize, b: usize, size: i32): void {
  const end = a + ((<usize> (size & ~3)) << 2);
  for (; a < end; a += 16, b += 16, y += 16) v128.store(y, f32x4.add(v128.load(a), v128.load(b)));
  const rest = size & 3;
  if (rest) storePart(y, f32x4.add(loadPart(a, rest), loadPart(b, rest)), rest);
}

/** y = a · b */
export function multiply(y: usize, a: usize, b: usize, size: i32): void {
  const end = a + ((<usize> (size & ~3)) << 2);
  for (; a < end; a += 16, b += 16, y += 16) v128.store(y, f32x4.mul(v128.load(a), v128.load(b)));
  const rest = size & 3;
  if (rest) storePart(y, f32x4.mul(loadPart(a, rest), loadPart(b, rest)), rest);
}

/** y = x · ratio + before · (1 - ratio), with one ratio for each channel */
export function mix(y: usize, x: usize, before: usize, ratio: usize, rows: i32, channels: i32): void {
  const rest = channels & 3;
  const whole = (<usize> (channels & ~3)) << 2;
  const stride = (<usize> channels) << 2;
  const zero = f32x4.splat(0);
  let spoiled = zero;
  for (let row = 0; row < rows; row++, y += stride, x += stride, before += stride) {
    for (let c: usize = 0; c < whole; c += 16) {
      const some = mixed(v128.load(x + c), v128.load(before + c), v128.load(ratio + c));
      spoiled = madd(some, zero, spoiled);
      v128.store(y + c, some);
    }
    if (rest) {
      const last = mixed(loadPart(x + whole, rest), loadPart(before + whole, rest), loadPart(ratio + whole, rest));
      spoiled = madd(last, zero, spoiled);
      storePart(y + whole, last, rest);
    }
  }
  if (isSpoiled(spoiled)) {
    const back = stride * <usize> rows;
    mixExactly(y - back, x - back, before - back, ratio, rows, channels);
  }
}

/** In double precision, because both products may overflow where their sum does not. */
function mixExactly(y: usize, x: usize, before: usize, ratio: usize, rows: i32, channels: i32): void {
  const row = (<usize> channels) << 2;
  for (; rows > 0; rows--) {
    for (let c: usize = 0; c < row; c += 4, y += 4, x += 4, before += 4) {
      const share = <f64> load<f32>(ratio + c);
      store<f32>(y, <f32> (<f64> load<f32>(x) * share + <f64> load<f32>(before) * (1 - share)));
    }
  }
}

// @ts-ignore: decorator
@inline
function mixed(x: v128, before: v128, ratio: v128): v128 {
  return madd(x, ratio, f32x4.mul(before, f32x4.sub(vector.constant(vector.ONE), ratio)));
}

/** y = 1 / (1 + e^-x) */
export function sigmoid(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, vector.sigmoid(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, vector.sigmoid(loadPart(x, rest)), rest);
}

/** y = tanh x */
export function tanh(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, vector.tanh(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, vector.tanh(loadPart(x, rest)), rest);
}

/** y = max(x, 0) */
export function relu(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, f32x4.pmax(v128.load(x), f32x4.splat(0)));
  const rest = size & 3;
  if (rest) storePart(y, f32x4.pmax(loadPart(x, rest), f32x4.splat(0)), rest);
}

/** y = x / (1 + e^-x) */
export function silu(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, silu4(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, silu4(loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function silu4(x: v128): v128 {
  const below = f32x4.add(vector.constant(vector.ONE), vector.exp(f32x4.neg(x)));
  return f32x4.div(f32x4.pmax(x, vector.constant(LOWEST)), below);
}

/** y = max(x, 0)² */
export function squaredRelu(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, squaredRelu4(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, squaredRelu4(loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function squaredRelu4(x: v128): v128 {
  const positive = f32x4.pmax(x, f32x4.splat(0));
  return f32x4.mul(positive, positive);
}

const CUBIC = memory.data<f32>([0.044715]);
/** Below this gelu and silu are 0; clamping avoids -∞/∞. */
const LOWEST = memory.data<f32>([-100]);
/** Above this the slope of silu is 1. */
const HIGHEST = memory.data<f32>([100]);
/** 2·√(2/π) */
const SLOPE = memory.data<f32>([1.5957691216057308]);

/** y = x/2 · (1 + tanh u) = x / (1 + e^-2u) with u = √(2/π) · (x + 0.044715 x³) */
export function gelu(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, gelu4(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, gelu4(loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function gelu4(x: v128): v128 {
  const cubic = madd(f32x4.mul(x, x), vector.constant(CUBIC), vector.constant(vector.ONE));
  const twice = f32x4.mul(f32x4.mul(x, vector.constant(SLOPE)), cubic);
  const below = f32x4.add(vector.constant(vector.ONE), vector.exp(f32x4.neg(twice)));
  return f32x4.div(f32x4.pmax(x, vector.constant(LOWEST)), below);
}

/** y = -e^x */
export function negativeExp(y: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, negativeExp4(v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(y, negativeExp4(loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function negativeExp4(x: v128): v128 {
  return f32x4.neg(vector.exp(x));
}

const HALF = memory.data<f32>([0.5]);
/** The square of e to this power exceeds all floats, but 0 times it is still 0. */
const MOST = memory.data<f32>([88]);

/** gx = -gy · e^x, as two factors of e^(x/2), since e^x may overflow where the product does not */
export function negativeExpBackward(gx: usize, gy: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, gy += 16, gx += 16) v128.store(gx, negativeExpBackward4(v128.load(gy), v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(gx, negativeExpBackward4(loadPart(gy, rest), loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function negativeExpBackward4(gy: v128, x: v128): v128 {
  const half = vector.exp(f32x4.pmin(f32x4.mul(x, vector.constant(HALF)), vector.constant(MOST)));
  return f32x4.neg(f32x4.mul(f32x4.mul(gy, half), half));
}

/** gx = gy · ratio, gBefore = gy · (1 - ratio), gRatio = Σ gy · (x - before) */
export function mixBackward(
  gx: usize,
  gBefore: usize,
  gRatio: usize,
  gy: usize,
  x: usize,
  before: usize,
  ratio: usize,
  rows: i32,
  channels: i32,
): void {
  const rest = channels & 3;
  const whole = (<usize> (channels & ~3)) << 2;
  const row = (<usize> channels) << 2;
  const firstGy = gy, firstX = x, firstBefore = before;
  memory.fill(gRatio, 0, row);
  for (let r = 0; r < rows; r++) {
    for (let c: usize = 0; c < whole; c += 16) {
      const g = v128.load(gy + c), share = v128.load(ratio + c);
      v128.store(gx + c, f32x4.mul(g, share));
      v128.store(gBefore + c, f32x4.mul(g, f32x4.sub(vector.constant(vector.ONE), share)));
      const difference = f32x4.sub(v128.load(x + c), v128.load(before + c));
      v128.store(gRatio + c, madd(g, difference, v128.load(gRatio + c)));
    }
    if (rest) {
      const g = loadPart(gy + whole, rest), share = loadPart(ratio + whole, rest);
      storePart(gx + whole, f32x4.mul(g, share), rest);
      storePart(gBefore + whole, f32x4.mul(g, f32x4.sub(vector.constant(vector.ONE), share)), rest);
      const difference = f32x4.sub(loadPart(x + whole, rest), loadPart(before + whole, rest));
      storePart(gRatio + whole, madd(g, difference, loadPart(gRatio + whole, rest)), rest);
    }
    gx += row;
    gBefore += row;
    gy += row;
    x += row;
    before += row;
  }
  if (!areFinite(gRatio, row)) sumRatioExactly(gRatio, firstGy, firstX, firstBefore, rows, channels);
}

/** gRatio in double precision, because products may overflow where their sum does not. */
function sumRatioExactly(gRatio: usize, gy: usize, x: usize, before: usize, rows: i32, channels: i32): void {
  const row = (<usize> channels) << 2;
  for (let c: usize = 0; c < row; c += 4) {
    let sum: f64 = 0;
    for (let r: usize = 0, at = c; r < <usize> rows; r++, at += row) {
      sum += <f64> load<f32>(gy + at) * (<f64> load<f32>(x + at) - <f64> load<f32>(before + at));
    }
    store<f32>(gRatio + c, <f32> sum);
  }
}

/** gx = gy · e / (1 + e)² with e = e^-|x|; equal to gy · y · (1 - y), but exact where y rounds to 1 */
export function sigmoidBackward(gx: usize, gy: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, gy += 16, gx += 16) v128.store(gx, sigmoidBackward4(v128.load(gy), v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(gx, sigmoidBackward4(loadPart(gy, rest), loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function sigmoidBackward4(gy: v128, x: v128): v128 {
  const e = vector.exp(f32x4.neg(f32x4.abs(x)));
  const below = f32x4.add(e, vector.constant(vector.ONE));
  return f32x4.div(f32x4.mul(gy, e), f32x4.mul(below, below));
}

/** gx = 4 · gy · e / (1 + e)² with e = e^-2|x|; equal to gy · (1 - y²), but exact where y rounds to 1 */
export function tanhBackward(gx: usize, gy: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, gy += 16, gx += 16) v128.store(gx, tanhBackward4(v128.load(gy), v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(gx, tanhBackward4(loadPart(gy, rest), loadPart(x, rest)), rest);
}

/** tanh x = 2 · sigmoid 2x - 1 */
// @ts-ignore: decorator
@inline
function tanhBackward4(gy: v128, x: v128): v128 {
  const quarter = sigmoidBackward4(gy, f32x4.add(x, x));
  const half = f32x4.add(quarter, quarter);
  return f32x4.add(half, half);
}

/** gx = gy where x > 0, else 0 */
export function reluBackward(gx: usize, gy: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, gy += 16, gx += 16) v128.store(gx, reluBackward4(v128.load(gy), v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(gx, reluBackward4(loadPart(gy, rest), loadPart(x, rest)), rest);
}

/** The slope at NaN is NaN. */
// @ts-ignore: decorator
@inline
function reluBackward4(gy: v128, x: v128): v128 {
  const positive = f32x4.pmax(x, f32x4.splat(0));
  const slope = v128.bitselect(vector.constant(vector.ONE), positive, f32x4.gt(positive, f32x4.splat(0)));
  return f32x4.mul(gy, slope);
}

/** With s = 1 / (1 + e^-x): gx = gy · (s + x · s · (1 - s)) */
export function siluBackward(gx: usize, gy: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, gy += 16, gx += 16) v128.store(gx, siluBackward4(v128.load(gy), v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(gx, siluBackward4(loadPart(gy, rest), loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function siluBackward4(gy: v128, x: v128): v128 {
  x = f32x4.pmax(f32x4.pmin(x, vector.constant(HIGHEST)), vector.constant(LOWEST));
  const s = vector.sigmoid(x);
  const change = f32x4.mul(s, f32x4.sub(vector.constant(vector.ONE), s));
  return f32x4.mul(gy, madd(change, x, s));
}

/** gx = 2 · gy · max(x, 0) */
export function squaredReluBackward(gx: usize, gy: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, gy += 16, gx += 16) v128.store(gx, squaredReluBackward4(v128.load(gy), v128.load(x)));
  const rest = size & 3;
  if (rest) storePart(gx, squaredReluBackward4(loadPart(gy, rest), loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function squaredReluBackward4(gy: v128, x: v128): v128 {
  return f32x4.mul(f32x4.add(gy, gy), f32x4.pmax(x, f32x4.splat(0)));
}

/** 2·√(2/π) · 0.044715, and three times that */
const SLOPE_CUBIC = memory.data<f32>([0.07135481282632573]);
const SLOPE_QUADRATIC = memory.data<f32>([0.2140644384789772]);
/** Beyond ±this the slope is 0 or 1; powers of x would overflow before x does. */
const FAR = memory.data<f32>([15]);
const MINUS_FAR = memory.data<f32>([-15]);

/** With s = 1 / (1 + e^-2u), u = √(2/π) · (x + 0.044715 x³): gx = gy · (s + x · s · (1 - s) · 2u') */
export function geluBackward(gx: usize, gy: usize, x: usize, size: i32): void {
  const end = x + ((<usize> (size & ~3)) << 2);
  for (; x < end; x += 16, gy += 16, gx += 16) {
    const g = v128.load(gy), at = v128.load(x);
    // The gradients of a loss of few steps are mostly 0. Times NaN, 0 is NaN.
    const counts = v128.or(f32x4.ne(g, f32x4.splat(0)), f32x4.ne(at, at));
    v128.store(gx, v128.any_true(counts) ? geluBackward4(g, at) : g);
  }
  const rest = size & 3;
  if (rest) storePart(gx, geluBackward4(loadPart(gy, rest), loadPart(x, rest)), rest);
}

// @ts-ignore: decorator
@inline
function geluBackward4(gy: v128, x: v128): v128 {
  x = f32x4.pmax(f32x4.pmin(x, vector.constant(FAR)), vector.constant(MINUS_FAR));
  const square = f32x4.mul(x, x);
  const steep = madd(square, vector.constant(SLOPE_CUBIC), vector.constant(SLOPE));
  const s = vector.sigmoid(f32x4.mul(x, steep));
  const slope = madd(square, vector.constant(SLOPE_QUADRATIC), vector.constant(SLOPE));
  const change = f32x4.mul(f32x4.mul(s, f32x4.sub(vector.constant(vector.ONE), s)), slope);
  return f32x4.mul(gy, madd(change, x, s));
}
