import { constant, exp, ONE } from "../../backends/wasm/math.as";
import { copy, madd, read, write } from "../../backends/wasm/vectors.as";

/**
 * The WKV recurrence, four channels at a time. The exponent of the past is q + n·w, of an anchor q and an age n that
 * are both exact, rounded once where the build can: what is rounded never goes into the next step. The state
 * of the running step stands in `nextState`.
 */
export function wkv(
  y: usize,
  nextState: usize,
  decay: usize,
  bonus: usize,
  key: usize,
  value: usize,
  state: usize,
  batch: i32,
  time: i32,
  channels: i32,
): void {
  const row = (<usize> channels) << 2;
  const whole = (<usize> (channels & ~3)) << 2;
  const rest = channels & 3;
  copy(nextState, state, 4 * batch * channels);
  for (let b = 0; b < batch; b++, nextState += 4 * row) {
    for (let t = 0; t < time; t++, y += row, key += row, value += row) {
      for (let c: usize = 0; c < whole; c += 16) {
        step(y + c, nextState + c, row, decay + c, bonus + c, key + c, value + c, 4);
      }
      if (rest) {
        const c = whole;
        step(y + c, nextState + c, row, decay + c, bonus + c, key + c, value + c, rest);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function step(
  y: usize,
  state: usize,
  row: usize,
  decay: usize,
  bonus: usize,
  key: usize,
  value: usize,
  count: i32,
): void {
  const w = read(decay, count), k = read(key, count), v = read(value, count);
  const numerator = read(state, count), denominator = read(state + row, count);
  const anchor = read(state + 2 * row, count), age = read(state + 3 * row, count);
  const zero = f32x4.splat(0), one = constant(ONE);

  // Of the two weights, scaled so that the larger is 1, only the smaller takes an exponential.
  const ahead = f32x4.sub(f32x4.add(read(bonus, count), k), madd(age, w, anchor));
  const smaller = exp(f32x4.neg(f32x4.abs(ahead)));
  const leads = f32x4.gt(ahead, zero);
  const past = v128.bitselect(smaller, one, leads);
  const share = v128.bitselect(one, smaller, leads);
  write(y, f32x4.div(madd(past, numerator, f32x4.mul(share, v)), madd(past, denominator, share)), count);

  const older = f32x4.add(age, one);
  const above = f32x4.sub(k, madd(older, w, anchor));
  const less = exp(f32x4.neg(f32x4.abs(above)));
  const renewed = f32x4.gt(above, zero);
  const kept = v128.bitselect(less, one, renewed);
  const added = v128.bitselect(one, less, renewed);
  write(state, madd(kept, numerator, f32x4.mul(added, v)), count);
  write(state + row, madd(kept, denominator, added), count);
  write(state + 2 * row, v128.bitselect(k, anchor, renewed), count);
  write(state + 3 * row, v128.andnot(older, renewed), count);
}
