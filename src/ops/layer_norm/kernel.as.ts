import { loadPart, madd, storePart, sum } from "../../backends/wasm/vectors.as";

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
