import { exp, log, quarterTurnRest, quarterTurns, shortCos, shortSin } from "../../backends/wasm/doubles.as";
import { madd, nmadd, read, write } from "../../backends/wasm/vectors.as";

/** Rotates the pair (i, i + N/2) of each head by the angle (position + t)·base^(-2i/N) */
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

/** Rotates the pair (i, i + N/2) of each head back by the angle of `rotary` */
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

/** The same by the angle position·base^(-2i/N), a position for each step of each sequence */
export function rotaryAt(
  y: usize,
  x: usize,
  position: usize,
  batch: i32,
  time: i32,
  channels: i32,
  heads: i32,
  base: f64,
): void {
  turnAt(y, x, position, batch * time, channels, heads, base, 1);
}

/** Rotates the pair (i, i + N/2) of each head back by the angle of `rotaryAt` */
export function rotaryAtBackward(
  gx: usize,
  gy: usize,
  position: usize,
  batch: i32,
  time: i32,
  channels: i32,
  heads: i32,
  base: f64,
): void {
  turnAt(gx, gy, position, batch * time, channels, heads, base, -1);
}

/** The number of pairs of a head that are rotated at a time. */
const PAIRS: i32 = 64;
const cosines = memory.data(64 << 2, 16);
const sines = memory.data(64 << 2, 16);
/** Position, base, pairs and direction of the tables: all queries and keys of a token rotate by the same angles. */
const tabulated = memory.data<f64>([NaN, 0, 0, 0]);

/** `direction` is 1, or -1 to rotate back. */
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
  const isOne = time == 1 && half <= PAIRS;
  const isKnown = isOne && load<f64>(tabulated) == position && load<f64>(tabulated, 8) == base &&
    load<f64>(tabulated, 16) == <f64> half && load<f64>(tabulated, 24) == direction;
  const slower = isKnown ? 1 : exp(-log(base) / <f64> half);
  let speed: f64 = 1;
  for (let first = 0; first < half; first += PAIRS) {
    const count = min(PAIRS, half - first);
    let next = speed;
    for (let t = 0; t < time; t++) {
      if (!isKnown) next = tabulate(position + <f64> t, speed, slower, direction, count);
      for (let b = 0; b < batch; b++) {
        let at = <usize> (b * time + t) * row + ((<usize> first) << 2);
        for (let head = 0; head < heads; head++, at += 2 * far) turnPairs(y + at, x + at, far, count);
      }
    }
    speed = next;
  }
  store<f64>(tabulated, isOne ? position : NaN);
  store<f64>(tabulated, base, 8), store<f64>(tabulated, <f64> half, 16), store<f64>(tabulated, direction, 24);
}

/** Each step by a position of its own. */
function turnAt(
  y: usize,
  x: usize,
  position: usize,
  steps: i32,
  channels: i32,
  heads: i32,
  base: f64,
  direction: f64,
): void {
  const half = channels / heads / 2;
  const far = (<usize> half) << 2;
  const row = (<usize> channels) << 2;
  const slower = exp(-log(base) / <f64> half);
  let speed: f64 = 1;
  for (let first = 0; first < half; first += PAIRS) {
    const count = min(PAIRS, half - first);
    for (let step: usize = 0; step < <usize> steps; step++) {
      const place = <f64> load<f32>(position + (step << 2));
      if (place >= 0 && place < 2147483648 && floor(place) == place) {
        tabulate(place, speed, slower, direction, count);
      } else {
        for (let i: usize = 0; i < <usize> count << 2; i += 4) store<f32>(cosines + i, NaN), store<f32>(sines + i, NaN);
      }
      let at = step * row + ((<usize> first) << 2);
      for (let head = 0; head < heads; head++, at += 2 * far) turnPairs(y + at, x + at, far, count);
    }
    for (let i = 0; i < count; i++) speed *= slower;
  }
  store<f64>(tabulated, NaN);
}

/** Writes the cosines and sines of position·speed for `count` pairs, with decreasing speed; returns the next speed. */
function tabulate(position: f64, speed: f64, slower: f64, direction: f64, count: i32): f64 {
  const end = (<usize> count) << 2;
  for (let i: usize = 0; i < end; i += 4, speed *= slower) {
    const angle = position * speed;
    const rest = quarterTurnRest(angle);
    const quarter = <i32> quarterTurns(angle);
    const a = shortSin(rest), b = shortCos(rest);
    let sin = quarter & 1 ? b : a, cos = quarter & 1 ? a : b;
    if (quarter & 2) sin = -sin;
    if ((quarter + 1) & 2) cos = -cos;
    store<f32>(cosines + i, <f32> cos);
    store<f32>(sines + i, <f32> (sin * direction));
  }
  return speed;
}

/** Rotates `count` pairs by the angles in the tables; the second of a pair is `far` bytes after the first. */
function turnPairs(y: usize, x: usize, far: usize, count: i32): void {
  const whole = (<usize> (count & ~3)) << 2;
  for (let at: usize = 0; at < whole; at += 16) turnFour(y, x, far, at, 4);
  if (count & 3) turnFour(y, x, far, whole, count & 3);
}

/** Rotates up to four pairs, whose angles are at byte `at` of the tables. */
// @ts-ignore: decorator
@inline
function turnFour(y: usize, x: usize, far: usize, at: usize, count: i32): void {
  const cos = v128.load(cosines + at), sin = v128.load(sines + at);
  const first = read(x + at, count), second = read(x + at + far, count);
  write(y + at, nmadd(second, sin, f32x4.mul(first, cos)), count);
  write(y + at + far, madd(first, sin, f32x4.mul(second, cos)), count);
}
