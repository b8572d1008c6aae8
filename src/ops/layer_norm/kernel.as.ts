import { isFinite32 } from "../../backends/wasm/exact.as";
import { loadPart, madd, nmadd, storePart, sum } from "../../backends/wasm/vectors.as";

/**
 * The number of rows that go through each pass together: the sums and roots of a row depend on each other, but
 * overlap with those of other rows.
 */
const ROWS: i32 = 16;
const centers = memory.data(16 << 2);
const means = memory.data(16 << 2);
const scales = memory.data(16 << 2);
/** 1 / √(variance + ε), if it differs from the scale of the differences. */
const slopes = memory.data(16 << 2);

/** Outside this range the sum of squares in single precision overflows or has lost small terms. */
const LEAST: f64 = 1e-30, MOST: f64 = 3e38;

/** y = (x - mean) / √(variance + ε) · weight + bias, row by row */
export function layerNorm(
  y: usize,
  x: usize,
  weight: usize,
  bias: usize,
  rows: i32,
  channels: i32,
  epsilon: f64,
): void {
  groupNorm(y, x, weight, bias, rows, channels, 1, epsilon);
}

/** The same for each of several groups of a row's channels, which are rows of their own. */
export function groupNorm(
  y: usize,
  x: usize,
  firstWeight: usize,
  firstBias: usize,
  rows: i32,
  channels: i32,
  groups: i32,
  epsilon: f64,
): void {
  channels /= groups, rows *= groups;
  const row = (<usize> channels) << 2;
  const whole = (<usize> (channels & ~3)) << 2;
  const rest = channels & 3;
  for (let first = 0; first < rows; first += ROWS) {
    const count = min(ROWS, rows - first);
    measure(y, x, count, channels, epsilon);
    for (let r = 0; r < count; r++, x += row, y += row) {
      const offset = offsetOf(first + r, groups, row), weight = firstWeight + offset, bias = firstBias + offset;
      const shift = at(means, r), scale = at(scales, r);
      for (let c: usize = 0; c < whole; c += 16) {
        const normal = f32x4.mul(f32x4.sub(v128.load(y + c), shift), scale);
        v128.store(y + c, madd(normal, v128.load(weight + c), v128.load(bias + c)));
      }
      if (rest) {
        const normal = f32x4.mul(f32x4.sub(loadPart(y + whole, rest), shift), scale);
        storePart(y + whole, madd(normal, loadPart(weight + whole, rest), loadPart(bias + whole, rest)), rest);
      }
    }
  }
}

/** Where a row's weights are behind the first. */
// @ts-ignore: decorator
@inline
function offsetOf(row: i32, groups: i32, bytes: usize): usize {
  return groups == 1 ? 0 : <usize> (row % groups) * bytes;
}

/**
 * With x̂ the normalized row and g = gy·weight: gx = (g - mean g - x̂ mean(g·x̂)) / √(variance + ε); gWeight = Σ gy·x̂,
 * gBias = Σ gy
 */
export function layerNormBackward(
  gx: usize,
  gWeight: usize,
  gBias: usize,
  gy: usize,
  x: usize,
  weight: usize,
  rows: i32,
  channels: i32,
  epsilon: f64,
): void {
  groupNormBackward(gx, gWeight, gBias, gy, x, weight, rows, channels, 1, epsilon);
}

/** The same for each of several groups of a row's channels, which are rows of their own. */
export function groupNormBackward(
  gx: usize,
  firstGWeight: usize,
  firstGBias: usize,
  gy: usize,
  x: usize,
  firstWeight: usize,
  rows: i32,
  channels: i32,
  groups: i32,
  epsilon: f64,
): void {
  memory.fill(firstGWeight, 0, (<usize> channels) << 2);
  memory.fill(firstGBias, 0, (<usize> channels) << 2);
  channels /= groups, rows *= groups;
  const row = (<usize> channels) << 2;
  for (let first = 0; first < rows; first += ROWS) {
    const count = min(ROWS, rows - first);
    measure(gx, x, count, channels, epsilon);
    for (let r = 0; r < count; r++, x += row, gx += row, gy += row) {
      const offset = offsetOf(first + r, groups, row), weight = firstWeight + offset;
      const gWeight = firstGWeight + offset, gBias = firstGBias + offset;
      const finite = backwardRow(gx, gWeight, gBias, gy, weight, channels, at(means, r), at(scales, r), at(slopes, r));
      if (!finite || isOdd(r)) backwardRowExactly(gx, gy, x, weight, channels, epsilon);
    }
  }
}

/** The gradient of one row, whose differences from its center are in gx; false if a mean is not finite. */
function backwardRow(
  gx: usize,
  gWeight: usize,
  gBias: usize,
  gy: usize,
  weight: usize,
  channels: i32,
  shift: v128,
  scale: v128,
  slope: v128,
): bool {
  const whole = (<usize> (channels & ~3)) << 2;
  const rest = channels & 3;
  const size = <f32> channels;
  let gs = f32x4.splat(0), products = gs;
  for (let c: usize = 0; c < whole; c += 16) {
    const g = v128.load(gy + c), normal = f32x4.mul(f32x4.sub(v128.load(gx + c), shift), scale);
    v128.store(gWeight + c, madd(g, normal, v128.load(gWeight + c)));
    v128.store(gBias + c, f32x4.add(g, v128.load(gBias + c)));
    v128.store(gx + c, normal);
    const weighted = f32x4.mul(g, v128.load(weight + c));
    gs = f32x4.add(gs, weighted);
    products = madd(weighted, normal, products);
  }
  if (rest) {
    const g = loadPart(gy + whole, rest), normal = f32x4.mul(f32x4.sub(loadPart(gx + whole, rest), shift), scale);
    storePart(gWeight + whole, madd(g, normal, loadPart(gWeight + whole, rest)), rest);
    storePart(gBias + whole, f32x4.add(g, loadPart(gBias + whole, rest)), rest);
    storePart(gx + whole, normal, rest);
    // Past the end the weights are zero, and so are their products.
    const weighted = f32x4.mul(g, loadPart(weight + whole, rest));
    gs = f32x4.add(gs, weighted);
    products = madd(weighted, loadPart(gx + whole, rest), products);
  }
  const mean = sum(gs) / size, meanOfProducts = sum(products) / size;
  const meanOfG = f32x4.splat(mean), meanOfGx = f32x4.splat(meanOfProducts);
  for (let c: usize = 0; c < whole; c += 16) {
    const g = f32x4.sub(f32x4.mul(v128.load(gy + c), v128.load(weight + c)), meanOfG);
    v128.store(gx + c, f32x4.mul(nmadd(v128.load(gx + c), meanOfGx, g), slope));
  }
  if (rest) {
    const g = f32x4.sub(f32x4.mul(loadPart(gy + whole, rest), loadPart(weight + whole, rest)), meanOfG);
    storePart(gx + whole, f32x4.mul(nmadd(loadPart(gx + whole, rest), meanOfGx, g), slope), rest);
  }
  return isFinite32(mean + meanOfProducts);
}

/**
 * Writes x minus the row's center to y, and the mean of these differences and 1 / √(variance + ε) to the tables.
 * The center is the mean rounded to single precision; together with the mean of the differences, rows far from zero
 * are as accurate as others. There are two sums, since an addition waits for the one before it.
 */
function measure(y: usize, x: usize, rows: i32, channels: i32, epsilon: f64): void {
  const row = (<usize> channels) << 2;
  const whole = (<usize> (channels & ~3)) << 2;
  const rest = channels & 3;
  const size = <f32> channels;
  for (let r = 0, from = x; r < rows; r++, from += row) {
    let total = rest ? loadPart(from + whole, rest) : f32x4.splat(0), other = f32x4.splat(0);
    let c: usize = 0;
    for (; c + 32 <= whole; c += 32) {
      total = f32x4.add(total, v128.load(from + c)), other = f32x4.add(other, v128.load(from + c, 16));
    }
    if (c < whole) total = f32x4.add(total, v128.load(from + c));
    store<f32>(centers + ((<usize> r) << 2), sum(f32x4.add(total, other)) / size);
  }
  for (let r = 0; r < rows; r++, x += row, y += row) {
    const center = at(centers, r);
    let left = f32x4.splat(0), squares = left;
    if (rest) {
      // Through memory, so that lanes past the end become zeros again.
      storePart(y + whole, f32x4.sub(loadPart(x + whole, rest), center), rest);
      left = loadPart(y + whole, rest);
      squares = f32x4.mul(left, left);
    }
    let otherLeft = f32x4.splat(0), otherSquares = otherLeft;
    let c: usize = 0;
    for (; c + 32 <= whole; c += 32) {
      const difference = f32x4.sub(v128.load(x + c), center), next = f32x4.sub(v128.load(x + c, 16), center);
      left = f32x4.add(left, difference), otherLeft = f32x4.add(otherLeft, next);
      squares = madd(difference, difference, squares), otherSquares = madd(next, next, otherSquares);
      v128.store(y + c, difference), v128.store(y + c, next, 16);
    }
    if (c < whole) {
      const difference = f32x4.sub(v128.load(x + c), center);
      left = f32x4.add(left, difference);
      squares = madd(difference, difference, squares);
      v128.store(y + c, difference);
    }
    const mean = sum(f32x4.add(left, otherLeft)) / size;
    const variance = sum(f32x4.add(squares, otherSquares)) / size - mean * mean;
    const spread = <f64> variance + epsilon;
    const scale = <f32> (1 / sqrt(spread));
    if (spread > LEAST && spread < MOST) set(r, mean, scale, scale);
    else normalizeExactly(y, x, channels, epsilon, r);
  }
}

/** Normalizes a row in double precision, writes it to y, and notes in the tables that it is complete. */
function normalizeExactly(y: usize, x: usize, channels: i32, epsilon: f64, r: i32): void {
  const mean = meanOf(x, channels), slope = 1 / sqrt(varianceOf(x, channels, mean) + epsilon);
  for (const end = x + ((<usize> channels) << 2); x < end; x += 4, y += 4) {
    store<f32>(y, <f32> ((<f64> load<f32>(x) - mean) * slope));
  }
  set(r, 0, 1, <f32> slope);
}

/** The gradient of a row in double precision. */
function backwardRowExactly(gx: usize, gy: usize, x: usize, weight: usize, channels: i32, epsilon: f64): void {
  const mean = meanOf(x, channels), slope = 1 / sqrt(varianceOf(x, channels, mean) + epsilon);
  const end = (<usize> channels) << 2;
  let meanOfG: f64 = 0, meanOfGx: f64 = 0;
  for (let c: usize = 0; c < end; c += 4) {
    const g = <f64> load<f32>(gy + c) * <f64> load<f32>(weight + c);
    meanOfG += g, meanOfGx += g * (<f64> load<f32>(x + c) - mean) * slope;
  }
  meanOfG /= <f64> channels, meanOfGx /= <f64> channels;
  for (let c: usize = 0; c < end; c += 4) {
    const g = <f64> load<f32>(gy + c) * <f64> load<f32>(weight + c);
    const normal = (<f64> load<f32>(x + c) - mean) * slope;
    store<f32>(gx + c, <f32> ((g - meanOfG - normal * meanOfGx) * slope));
  }
}

function meanOf(x: usize, size: i32): f64 {
  let sum: f64 = 0;
  for (const end = x + ((<usize> size) << 2); x < end; x += 4) sum += <f64> load<f32>(x);
  return sum / <f64> size;
}

function varianceOf(x: usize, size: i32, mean: f64): f64 {
  let sum: f64 = 0;
  for (const end = x + ((<usize> size) << 2); x < end; x += 4) {
    const difference = <f64> load<f32>(x) - mean;
    sum += difference * difference;
  }
  return sum / <f64> size;
}

// @ts-ignore: decorator
@inline
function set(r: i32, mean: f32, scale: f32, slope: f32): void {
  const to = (<usize> r) << 2;
  store<f32>(means + to, mean), store<f32>(scales + to, scale), store<f32>(slopes + to, slope);
}

/** Whether row r was normalized in double precision. */
// @ts-ignore: decorator
@inline
function isOdd(r: i32): bool {
  const to = (<usize> r) << 2;
  return load<f32>(scales + to) != load<f32>(slopes + to);
}

/** Row r's number in a table, in all four lanes. */
// @ts-ignore: decorator
@inline
function at(table: usize, r: i32): v128 {
  return v128.load_splat<f32>(table + ((<usize> r) << 2));
}
