import { loadPart, madd, nmadd, read, storePart, sum, write } from "../../backends/wasm/vectors.as";

/**
 * y = (x - mean) / √(variance + ε) · weight + bias, row by row. The first mean is rounded to single precision; the
 * second pass takes the mean of what is left too, so that rows far from zero come out as exact as others.
 */
export function layerNorm(
  y: usize,
  x: usize,
  weight: usize,
  bias: usize,
  rows: i32,
  channels: i32,
  epsilon: f64,
): void {
  const row = (<usize> channels) << 2;
  const whole = (<usize> (channels & ~3)) << 2;
  const rest = channels & 3;
  const size = <f32> channels;
  for (let r = 0; r < rows; r++, x += row, y += row) {
    let total = rest ? loadPart(x + whole, rest) : f32x4.splat(0);
    for (let c: usize = 0; c < whole; c += 16) total = f32x4.add(total, v128.load(x + c));
    const center = f32x4.splat(sum(total) / size);

    let left = f32x4.splat(0);
    let squares = f32x4.splat(0);
    if (rest) {
      // By way of memory, where the lanes past the end become zeros again.
      storePart(y + whole, f32x4.sub(loadPart(x + whole, rest), center), rest);
      left = loadPart(y + whole, rest);
      squares = f32x4.mul(left, left);
    }
    for (let c: usize = 0; c < whole; c += 16) {
      const difference = f32x4.sub(v128.load(x + c), center);
      left = f32x4.add(left, difference);
      squares = madd(difference, difference, squares);
      v128.store(y + c, difference);
    }
    const mean = sum(left) / size;
    const variance = sum(squares) / size - mean * mean;
    const shift = f32x4.splat(mean);
    const scale = f32x4.splat(<f32> (1 / sqrt(<f64> variance + epsilon)));
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

/**
 * With x̂ the normalized row and g = gy·weight: gx = (g - mean g - x̂ mean(g·x̂)) / √(variance + ε). As in `layerNorm`, a
 * second mean mends the rounding of the first.
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
  const row = (<usize> channels) << 2;
  const size = <f32> channels;
  memory.fill(gWeight, 0, row);
  memory.fill(gBias, 0, row);
  for (let r = 0; r < rows; r++, x += row, gy += row, gx += row) {
    let total = f32x4.splat(0);
    for (let c: usize = 0, count = channels; count > 0; c += 16, count -= 4) {
      total = f32x4.add(total, read(x + c, min(4, count)));
    }
    const center = f32x4.splat(sum(total) / size);

    let left = f32x4.splat(0), squares = left, gs = left, products = left;
    for (let c: usize = 0, count = channels; count > 0; c += 16, count -= 4) {
      const part = min(4, count);
      // By way of memory, where the lanes past the end become zeros again.
      write(gx + c, f32x4.sub(read(x + c, part), center), part);
      const difference = read(gx + c, part);
      const g = f32x4.mul(read(gy + c, part), read(weight + c, part));
      left = f32x4.add(left, difference);
      squares = madd(difference, difference, squares);
      gs = f32x4.add(gs, g);
      products = madd(g, difference, products);
    }
    const mean = sum(left) / size;
    const variance = sum(squares) / size - mean * mean;
    const scale = <f32> (1 / sqrt(<f64> variance + epsilon));
    const meanOfG = sum(gs) / size;
    const meanOfGx = (sum(products) / size - meanOfG * mean) * scale;
    for (let c: usize = 0, count = channels; count > 0; c += 16, count -= 4) {
      const part = min(4, count);
      const normal = f32x4.mul(f32x4.sub(read(gx + c, part), f32x4.splat(mean)), f32x4.splat(scale));
      const g = read(gy + c, part);
      write(gWeight + c, madd(g, normal, read(gWeight + c, part)), part);
      write(gBias + c, f32x4.add(g, read(gBias + c, part)), part);
      const rest = f32x4.sub(f32x4.mul(g, read(weight + c, part)), f32x4.splat(meanOfG));
      write(gx + c, f32x4.mul(nmadd(normal, f32x4.splat(meanOfGx), rest), f32x4.splat(scale)), part);
    }
  }
}
