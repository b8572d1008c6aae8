import { exp } from "../../backends/wasm/math.as";
import { largest, loadPart, madd, read, storePart, sum, write } from "../../backends/wasm/vectors.as";

/** y = e^(x - max x) / Σ e^(x - max x), row by row */
export function softmax(y: usize, x: usize, rows: i32, channels: i32): void {
  const row = (<usize> channels) << 2;
  const whole = (<usize> (channels & ~3)) << 2;
  const rest = channels & 3;
  for (let r = 0; r < rows; r++, x += row, y += row) {
    const top = f32x4.splat(rowMaximum(x, channels));
    let total = f32x4.splat(0);
    for (let c: usize = 0; c < whole; c += 16) {
      const share = exp(f32x4.sub(v128.load(x + c), top));
      total = f32x4.add(total, share);
      v128.store(y + c, share);
    }
    if (rest) {
      storePart(y + whole, exp(f32x4.sub(loadPart(x + whole, rest), top)), rest);
      total = f32x4.add(total, loadPart(y + whole, rest));
    }
    const scale = f32x4.splat(1 / sum(total));
    for (let c: usize = 0; c < whole; c += 16) v128.store(y + c, f32x4.mul(v128.load(y + c), scale));
    if (rest) storePart(y + whole, f32x4.mul(loadPart(y + whole, rest), scale), rest);
  }
}

/** gx = y · (gy - Σ gy · y), row by row */
export function softmaxBackward(gx: usize, gy: usize, y: usize, rows: i32, channels: i32): void {
  const row = (<usize> channels) << 2;
  for (let r = 0; r < rows; r++, gx += row, gy += row, y += row) {
    let products = f32x4.splat(0);
    for (let c: usize = 0, count = channels; count > 0; c += 16, count -= 4) {
      const part = min(4, count);
      products = madd(read(gy + c, part), read(y + c, part), products);
    }
    const total = f32x4.splat(sum(products));
    for (let c: usize = 0, count = channels; count > 0; c += 16, count -= 4) {
      const part = min(4, count);
      write(gx + c, f32x4.mul(read(y + c, part), f32x4.sub(read(gy + c, part), total)), part);
    }
  }
}

/** The largest element of a row; ignores NaN. */
export function rowMaximum(x: usize, channels: i32): f32 {
  let top = f32x4.splat(-Infinity);
  const end = x + ((<usize> channels) << 2);
  for (; x + 16 <= end; x += 16) top = f32x4.pmax(top, v128.load(x));
  for (; x < end; x += 4) top = f32x4.pmax(top, v128.load_splat<f32>(x));
  return largest(top);
}
