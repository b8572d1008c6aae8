import { exp, log, quarterTurnRest, quarterTurns, shortCos, shortSin } from "../../backends/wasm/doubles.as";

/** Turns the pair (i, i + N/2) of each head by the angle (position + t)·base^(-2i/N) */
export function rotary(
  y: usize,
  x: usize,
  batch: i32,
  time: i32,
  channels: i32,
  heads: i32,
  position: f64,
  base: f64,
): void {
  turn(y, x, batch, time, channels, heads, position, base, 1);
}

/** Turns the pair (i, i + N/2) of each head back by the angle that `rotary` turns it by */
export function rotaryBackward(
  gx: usize,
  gy: usize,
  batch: i32,
  time: i32,
  channels: i32,
  heads: i32,
  position: f64,
  base: f64,
): void {
  turn(gx, gy, batch, time, channels, heads, position, base, -1);
}

/** `direction` is 1, or -1 for back. */
function turn(
  y: usize,
  x: usize,
  batch: i32,
  time: i32,
  channels: i32,
  heads: i32,
  position: f64,
  base: f64,
  direction: f64,
): void {
  const half = channels / heads / 2;
  const far = (<usize> half) << 2;
  const row = (<usize> channels) << 2;
  const slower = exp(-log(base) / <f64> half);
  let speed: f64 = 1;
  for (let i = 0; i < half; i++, speed *= slower) {
    for (let t = 0; t < time; t++) {
      const angle = (position + <f64> t) * speed;
      const rest = quarterTurnRest(angle);
      const quarter = <i32> quarterTurns(angle);
      const a = shortSin(rest), b = shortCos(rest);
      let sin = quarter & 1 ? b : a, cos = quarter & 1 ? a : b;
      if (quarter & 2) sin = -sin;
      if ((quarter + 1) & 2) cos = -cos;
      sin *= direction;
      for (let n = 0; n < batch; n++) {
        let at = <usize> (n * time + t) * row + ((<usize> i) << 2);
        for (let head = 0; head < heads; head++, at += 2 * far) {
          const first = <f64> load<f32>(x + at), second = <f64> load<f32>(x + at + far);
          store<f32>(y + at, <f32> (first * cos - second * sin));
          store<f32>(y + at + far, <f32> (second * cos + first * sin));
        }
      }
    }
  }
}
