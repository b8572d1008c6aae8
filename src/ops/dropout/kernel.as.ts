import { read, write } from "../../backends/wasm/vectors.as";
import { pcg4dOfFour } from "../sample/pcg4d.as";

/** The last word of the hash; see `reference.ts`. */
const SALT: i32 = -1;

/** y = x · 0 where the hash of an element's index is below `dropped`, else x · scale */
export function dropout(
  y: usize,
  x: usize,
  step: usize,
  size: i32,
  dropped: i32,
  scale: f64,
  seed: i32,
  base: i32,
): void {
  const draw = step == 0 ? base : base + <i32> (<u32> load<f32>(step));
  const factor = f32x4.splat(<f32> scale), limit = i32x4.splat(dropped), four = i32x4.splat(4);
  let indices = i32x4(0, 1, 2, 3);
  for (; size > 0; size -= 4, x += 16, y += 16) {
    const count = min(4, size);
    const isDropped = i32x4.lt_u(i32x4.shr_u(pcg4dOfFour(seed, draw, indices, SALT), 8), limit);
    write(y, f32x4.mul(read(x, count), v128.andnot(factor, isDropped)), count);
    indices = i32x4.add(indices, four);
  }
}

/** gx = gy · 0 or gy · scale, by the same draw */
export function dropoutBackward(
  gx: usize,
  gy: usize,
  step: usize,
  size: i32,
  dropped: i32,
  scale: f64,
  seed: i32,
  base: i32,
): void {
  dropout(gx, gy, step, size, dropped, scale, seed, base);
}
