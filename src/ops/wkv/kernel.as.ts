import { constant, exp, ONE } from "../../backends/wasm/math.as";
import { copy, isSpoiled, madd, nmadd, read, write } from "../../backends/wasm/vectors.as";

/**
 * The lower bound of decays, which already suppresses everything. An infinite decay, such as -e^89, times no steps
 * would be NaN, where the last step should count fully.
 */
const STEEPEST = memory.data<f32>([-1e38]);

/**
 * The WKV recurrence, four channels at a time. The exponent of the past is q + n·w, with an exact anchor q and an
 * exact age n, so that rounding errors never carry over to the next step. Anchors are subtracted from each other
 * first, since next to a key of 1e8 bonus and decay would be lost. `nextState` holds the state of the current step.
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
  if (time == 0) copy(nextState, state, 4 * batch * channels);
  for (let b = 0; b < batch; b++, nextState += 4 * row, state += 4 * row) {
    let from = state;
    for (let t = 0; t < time; t++, y += row, key += row, value += row) {
      for (let c: usize = 0; c < whole; c += 16) {
        step(y + c, nextState + c, row, decay + c, bonus + c, key + c, value + c, from + c, 4);
      }
      if (rest) {
        const c = whole;
        step(y + c, nextState + c, row, decay + c, bonus + c, key + c, value + c, from + c, rest);
      }
      from = nextState;
    }
  }
}

// @ts-ignore: decorator
@inline
function step(
  y: usize,
  next: usize,
  row: usize,
  decay: usize,
  bonus: usize,
  key: usize,
  value: usize,
  state: usize,
  count: i32,
): void {
  const w = f32x4.pmax(read(decay, count), constant(STEEPEST)), k = read(key, count), v = read(value, count);
  const numerator = read(state, count), denominator = read(state + row, count);
  const anchor = read(state + 2 * row, count), age = read(state + 3 * row, count);
  const zero = f32x4.splat(0), one = constant(ONE);

  // The weights are scaled so that the larger is 1, and only the smaller needs an exponential.
  const ahead = f32x4.add(nmadd(age, w, f32x4.sub(k, anchor)), read(bonus, count));
  const smaller = exp(f32x4.neg(f32x4.abs(ahead)));
  const leads = f32x4.gt(ahead, zero);
  const past = v128.bitselect(smaller, one, leads);
  const share = v128.bitselect(one, smaller, leads);
  write(y, f32x4.div(madd(past, numerator, f32x4.mul(share, v)), madd(past, denominator, share)), count);
  advance(next, row, numerator, denominator, anchor, age, w, k, v, count);
}

/** Writes the state after another step to four rows with a stride of `row` bytes. */
// @ts-ignore: decorator
@inline
function advance(
  next: usize,
  row: usize,
  numerator: v128,
  denominator: v128,
  anchor: v128,
  age: v128,
  w: v128,
  k: v128,
  v: v128,
  count: i32,
): void {
  const zero = f32x4.splat(0), one = constant(ONE);
  const older = f32x4.add(age, one);
  const above = nmadd(older, w, f32x4.sub(k, anchor));
  const less = exp(f32x4.neg(f32x4.abs(above)));
  const renewed = f32x4.gt(above, zero);
  const kept = v128.bitselect(less, one, renewed);
  const added = v128.bitselect(one, less, renewed);
  write(next, madd(kept, numerator, f32x4.mul(added, v)), count);
  write(next + row, madd(kept, denominator, added), count);
  write(next + 2 * row, v128.bitselect(k, anchor, renewed), count);
  write(next + 3 * row, v128.andnot(older, renewed), count);
}

/**
 * The number of states that are stored at a time; the others are recomputed from the state before each chunk of
 * steps.
 */
const CHUNK: i32 = 64;
/** The bytes of a state of four channels. */
const STATE: usize = 64;
/** Σ gw and Σ gu of four channels, in double precision. */
const totals = memory.data(64, 16);
const totalsBefore = memory.data(64, 16);
const factors = memory.data(16, 16);
/** 2^-96 */
const UNIT: f32 = 1.262177448353619e-29;

/**
 * The adjoint of the recurrence, four channels at a time, with anchors and ages like the forward kernel: the
 * adjoint of later steps has an exponent q + n·w too, whose age may be negative. The scratch memory holds the state
 * before each chunk of steps, then the states before and after the steps of one chunk.
 */
export function wkvBackward(
  gDecay: usize,
  gBonus: usize,
  gKey: usize,
  gValue: usize,
  gState: usize,
  gy: usize,
  gNextState: usize,
  decay: usize,
  bonus: usize,
  key: usize,
  value: usize,
  state: usize,
  y: usize,
  batch: i32,
  time: i32,
  channels: i32,
  scratch: usize,
): void {
  const row = (<usize> channels) << 2;
  for (let c = 0; c < channels; c += 4) {
    const count = min(channels - c, 4);
    memory.fill(totals, 0, 64);
    for (let b = 0; b < batch; b++) {
      const at = (<usize> c) << 2;
      const x = <usize> (b * time) * row + at, s = <usize> (4 * b) * row + at;
      const gk = gKey + x, gv = gValue + x, gs = gState + s, k = key + x, v = value + x, from = state + s, to = y + x;
      const w = f32x4.pmax(read(decay + at, count), constant(STEEPEST)), u = read(bonus + at, count);
      memory.copy(totalsBefore, totals, 64);
      const spoiled = adjointOfSteps(gk, gv, gs, gy + x, gNextState + s, w, u, k, v, from, to, time, row, count, scratch);
      if (!isSpoiled(spoiled)) continue;
      // The gradient is linear in gy and gNextState, so intermediate values may overflow where those for a 2^96th
      // of both do not.
      const odd = f32x4.ne(spoiled, spoiled);
      const unit = v128.bitselect(f32x4.splat(UNIT), constant(ONE), odd);
      const inverse = v128.bitselect(f32x4.splat(1 / UNIT), constant(ONE), odd);
      // The scaled inputs are stored where the results are written later.
      scale(gk, gy + x, unit, time, row, count), scale(gs, gNextState + s, unit, 4, row, count);
      memory.fill(totals, 0, 64);
      adjointOfSteps(gk, gv, gs, gk, gs, w, u, k, v, from, to, time, row, count, scratch);
      scale(gk, gk, inverse, time, row, count), scale(gv, gv, inverse, time, row, count);
      scale(gs, gs, inverse, 4, row, count);
      v128.store(factors, inverse);
      for (let lane: usize = 0; lane < 64; lane += 8) {
        const times = <f64> load<f32>(factors + ((lane & 31) >> 1));
        store<f64>(totals + lane, load<f64>(totalsBefore + lane) + load<f64>(totals + lane) * times);
      }
    }
    write(gDecay + ((<usize> c) << 2), total(totals), count);
    write(gBonus + ((<usize> c) << 2), total(totals + 32), count);
  }
}

/** Multiplies each of `count` columns by its own factor. */
function scale(to: usize, x: usize, factors: v128, rows: i32, row: usize, count: i32): void {
  for (; rows > 0; rows--, to += row, x += row) write(to, f32x4.mul(read(x, count), factors), count);
}

/**
 * x with 0 in place of subnormal numbers: the gradients of steps long before those of the loss are that small, and
 * products of subnormal numbers take many times as long.
 */
// @ts-ignore: decorator
@inline
function flushed(x: v128): v128 {
  return v128.andnot(x, f32x4.lt(f32x4.abs(x), f32x4.splat(f32.MIN_NORMAL_VALUE)));
}

/**
 * All steps of `count` (1 to 4) channels of one sequence. Returns NaN for channels with a result that is not
 * finite, else 0.
 */
function adjointOfSteps(
  gKey: usize,
  gValue: usize,
  gState: usize,
  gy: usize,
  gNextState: usize,
  w: v128,
  u: v128,
  key: usize,
  value: usize,
  state: usize,
  y: usize,
  time: i32,
  row: usize,
  count: i32,
  scratch: usize,
): v128 {
  const zero = f32x4.splat(0), one = constant(ONE);
  let spoiled = zero;
  const chunks = (time + CHUNK - 1) / CHUNK;
  const states = scratch + <usize> chunks * STATE;
  for (let r: usize = 0; r < 4; r++) v128.store(states + 16 * r, read(state + r * row, count));
  let end = states;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const first = chunk * CHUNK;
    memory.copy(states, end, STATE);
    memory.copy(scratch + <usize> chunk * STATE, states, STATE);
    const x = <usize> first * row;
    end = replay(states, key + x, value + x, w, min(CHUNK, time - first), row, count);
  }

  // The last state holds the sums A and B at the scale e^(anchor + age·w): a = A e^-(anchor + age·w), b likewise.
  const lastAge = v128.load(end, 48);
  let ga = read(gNextState, count), gb = read(gNextState + row, count);
  const shrink = madd(v128.load(end), ga, f32x4.mul(v128.load(end, 16), gb));
  const gAnchor = f32x4.sub(read(gNextState + 2 * row, count), shrink);
  const shrunk = f32x4.neg(f32x4.mul(lastAge, shrink));
  addTo(totals, shrunk);
  spoiled = f32x4.mul(shrunk, zero);
  // The adjoint of later steps has the gradients ga·e^exponent of A and gb·e^exponent of B.
  let laterAnchor = f32x4.neg(v128.load(end, 32)), laterAge = f32x4.neg(lastAge);
  // The scale e^-(u + k) of a leaf is that of its key alone if possible, since differences of keys are exact; the
  // leaf's number is multiplied by e^-u instead. Beyond ±16 the difference is negligible.
  const folds = f32x4.le(f32x4.abs(u), f32x4.splat(16));
  const unlifted = v128.bitselect(exp(f32x4.neg(u)), one, folds), lift = v128.andnot(u, folds);
  // Whether the last state's anchor is still to be found.
  let sought = f32x4.eq(zero, zero);
  for (let chunk = chunks - 1; chunk >= 0; chunk--) {
    const first = chunk * CHUNK, steps = min(CHUNK, time - first);
    if (chunk < chunks - 1) {
      const x = <usize> first * row;
      memory.copy(states, scratch + <usize> chunk * STATE, STATE);
      replay(states, key + x, value + x, w, steps, row, count);
    }
    let gw = zero, gu = zero;
    let x = <usize> (first + steps - 1) * row;
    for (let at = states + <usize> (steps - 1) * STATE; at >= states; at -= STATE, x -= row) {
      const numerator = v128.load(at), denominator = v128.load(at, 16);
      const anchor = v128.load(at, 32), age = v128.load(at, 48);
      const k = read(key + x, count), v = read(value + x, count), result = read(y + x, count);

      const ahead = f32x4.add(nmadd(age, w, f32x4.sub(k, anchor)), u);
      const smaller = exp(f32x4.neg(f32x4.abs(ahead)));
      const leads = f32x4.gt(ahead, zero);
      const past = v128.bitselect(smaller, one, leads);
      const share = v128.bitselect(one, smaller, leads);
      const r = f32x4.div(read(gy + x, count), madd(past, denominator, share));
      const e1 = f32x4.mul(r, share);
      const e2 = exp(madd(laterAge, w, f32x4.add(k, laterAnchor)));
      const bend = f32x4.mul(e1, f32x4.sub(v, result));
      const renewed = v128.and(sought, f32x4.gt(nmadd(f32x4.add(age, one), w, f32x4.sub(k, anchor)), zero));
      sought = v128.andnot(sought, renewed);
      const gk = f32x4.add(madd(e2, madd(ga, v, gb), bend), v128.and(gAnchor, renewed)), gv = madd(e2, ga, e1);
      write(gKey + x, flushed(gk), count);
      write(gValue + x, flushed(gv), count);
      spoiled = madd(gk, zero, madd(gv, zero, spoiled));
      gu = f32x4.add(gu, bend);
      const older = f32x4.add(laterAge, one);
      const scale = exp(madd(f32x4.add(age, older), w, f32x4.add(anchor, laterAnchor)));
      gw = madd(scale, madd(numerator, ga, f32x4.mul(denominator, gb)), gw);

      // The exponent of the leaf is minus the larger one, for both anchor and age.
      const leafAnchor = f32x4.neg(v128.bitselect(f32x4.add(k, lift), anchor, leads));
      const leafAge = f32x4.neg(v128.andnot(age, leads));
      const above = madd(f32x4.sub(leafAge, older), w, f32x4.sub(leafAnchor, laterAnchor));
      const less = exp(f32x4.neg(f32x4.abs(above)));
      const steeper = f32x4.gt(above, zero);
      const kept = v128.bitselect(less, one, steeper);
      const leaf = f32x4.mul(v128.bitselect(one, less, steeper), f32x4.mul(r, v128.bitselect(unlifted, one, leads)));
      ga = madd(kept, ga, leaf);
      gb = nmadd(leaf, result, f32x4.mul(kept, gb));
      laterAnchor = v128.bitselect(leafAnchor, laterAnchor, steeper);
      laterAge = v128.bitselect(leafAge, older, steeper);
    }
    addTo(totals, gw);
    addTo(totals + 32, gu);
    spoiled = madd(gw, zero, madd(gu, zero, spoiled));
  }

  const firstAge = read(state + 3 * row, count);
  const scale = exp(madd(f32x4.add(firstAge, laterAge), w, f32x4.add(read(state + 2 * row, count), laterAnchor)));
  const gNumerator = f32x4.mul(scale, ga), gDenominator = f32x4.mul(scale, gb);
  const grow = madd(read(state, count), gNumerator, f32x4.mul(read(state + row, count), gDenominator));
  const grown = f32x4.mul(firstAge, grow);
  addTo(totals, grown);
  spoiled = madd(grown, zero, spoiled);
  write(gState, gNumerator, count);
  write(gState + row, gDenominator, count);
  // Without a step in between, these two cancel.
  const change = f32x4.sub(grow, v128.and(sought, shrink));
  write(gState + 2 * row, f32x4.add(change, v128.and(sought, read(gNextState + 2 * row, count))), count);
  write(gState + 3 * row, madd(w, change, v128.and(sought, read(gNextState + 3 * row, count))), count);
  return madd(gNumerator, zero, madd(gDenominator, zero, madd(change, zero, spoiled)));
}

/**
 * Replays `steps` steps from the state at `states`, appending the state after each; returns the address of the
 * last.
 */
function replay(states: usize, key: usize, value: usize, w: v128, steps: i32, row: usize, count: i32): usize {
  for (; steps > 0; steps--, key += row, value += row, states += STATE) {
    const numerator = v128.load(states), denominator = v128.load(states, 16);
    const anchor = v128.load(states, 32), age = v128.load(states, 48);
    const k = read(key, count), v = read(value, count);
    advance(states + STATE, 16, numerator, denominator, anchor, age, w, k, v, 4);
  }
  return states;
}

/** Adds four floats to four doubles. */
function addTo(to: usize, x: v128): void {
  v128.store(to, f64x2.add(v128.load(to), f64x2.promote_low_f32x4(x)));
  const high = f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  v128.store(to, f64x2.add(v128.load(to, 16), high), 16);
}

/** Converts four doubles to floats. */
function total(from: usize): v128 {
  const low = f32x4.demote_f64x2_zero(v128.load(from)), high = f32x4.demote_f64x2_zero(v128.load(from, 16));
  return v128.shuffle<f32>(low, high, 0, 1, 4, 5);
}
