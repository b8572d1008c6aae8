import { constant, ONE, sigmoid, tanh } from "../../backends/wasm/math.as";
import { dot, mendProducts } from "../../backends/wasm/exact.as";
import { inPanels, pack, packTransposed } from "../../backends/wasm/panels.as";
import { multiply } from "../../backends/wasm/tiles.as";
import { areFinite, copy, isSpoiled, madd, nmadd, read, write } from "../../backends/wasm/vectors.as";
import { dot4 } from "../linear/one_row.as";

/**
 * The recurrence of an LSTM, given what the inputs add to its gates, in the order i, f, g, o. Several sequences go
 * through each step together, so that the weights are read once for all of them.
 */
export function lstmRecurrence(
  y: usize,
  nextHidden: usize,
  nextCell: usize,
  gates: usize,
  hiddenWeight: usize,
  hidden: usize,
  cell: usize,
  batch: i32,
  time: i32,
  channels: i32,
  scratch: usize,
): void {
  copy(nextCell, cell, batch * channels);
  if (!scratch) {
    runEach(y, nextHidden, nextCell, gates, hiddenWeight, hidden, batch, time, channels);
    return;
  }
  copy(nextHidden, hidden, batch * channels);
  const row = (<usize> channels) << 2;
  const panels = scratch;
  const sums = panels + row * <usize> inPanels(4 * channels);
  packTransposed(panels, hiddenWeight, row, 4 * channels, channels);
  for (let t = 0; t < time; t++, y += row, gates += 4 * row) {
    multiply(sums, 4 * row, nextHidden, row, 4, panels, row << 3, batch, channels, 4 * channels, false);
    if (!areFinite(sums, 4 * row * <usize> batch)) {
      mendProducts(sums, 4 * row, nextHidden, row, 4, hiddenWeight, row, 4, 0, batch, channels, 4 * channels);
    }
    for (let b = 0; b < batch; b++) {
      const state = <usize> b * row;
      const sum = sums + 4 * state, gate = gates + 4 * state * <usize> time;
      const to = y + state * <usize> time;
      for (let c = 0; c < channels; c += 4) {
        const count = min(channels - c, 4);
        const at = (<usize> c) << 2;
        const i = f32x4.add(read(sum + at, count), read(gate + at, count));
        const f = f32x4.add(read(sum + row + at, count), read(gate + row + at, count));
        const g = f32x4.add(read(sum + 2 * row + at, count), read(gate + 2 * row + at, count));
        const o = f32x4.add(read(sum + 3 * row + at, count), read(gate + 3 * row + at, count));
        const next = madd(sigmoid(f), read(nextCell + state + at, count), f32x4.mul(sigmoid(i), tanh(g)));
        const output = f32x4.mul(sigmoid(o), tanh(next));
        write(nextCell + state + at, next, count);
        write(nextHidden + state + at, output, count);
        write(to + at, output, count);
      }
    }
  }
}

/** One sequence after the other: a step is a product of the weights with a vector. */
function runEach(
  y: usize,
  nextHidden: usize,
  nextCell: usize,
  gates: usize,
  hiddenWeight: usize,
  hidden: usize,
  batch: i32,
  time: i32,
  channels: i32,
): void {
  const row = (<usize> channels) << 2;
  for (let b = 0; b < batch; b++, hidden += row, nextHidden += row, nextCell += row) {
    let before = hidden;
    for (let t = 0; t < time; t++, before = y, y += row, gates += 4 * row) {
      for (let c = 0; c < channels; c += 4) {
        const count = min(channels - c, 4);
        const at = (<usize> c) << 2;
        const weight = hiddenWeight + <usize> c * row;
        // Four gates of one channel are four rows a quarter of the weights apart; they are turned to one gate of
        // four channels. Channels past the last repeat it.
        const c0 = dot4(weight, channels * row, 4, before, channels);
        const c1 = count > 1 ? dot4(weight + row, channels * row, 4, before, channels) : c0;
        const c2 = count > 2 ? dot4(weight + 2 * row, channels * row, 4, before, channels) : c1;
        const c3 = count > 3 ? dot4(weight + 3 * row, channels * row, 4, before, channels) : c2;
        const if01 = v128.shuffle<f32>(c0, c1, 0, 4, 1, 5), go01 = v128.shuffle<f32>(c0, c1, 2, 6, 3, 7);
        const if23 = v128.shuffle<f32>(c2, c3, 0, 4, 1, 5), go23 = v128.shuffle<f32>(c2, c3, 2, 6, 3, 7);
        let i = f32x4.add(v128.shuffle<f32>(if01, if23, 0, 1, 4, 5), read(gates + at, count));
        let f = f32x4.add(v128.shuffle<f32>(if01, if23, 2, 3, 6, 7), read(gates + row + at, count));
        let g = f32x4.add(v128.shuffle<f32>(go01, go23, 0, 1, 4, 5), read(gates + 2 * row + at, count));
        let o = f32x4.add(v128.shuffle<f32>(go01, go23, 2, 3, 6, 7), read(gates + 3 * row + at, count));
        const all = f32x4.add(f32x4.add(i, f), f32x4.add(g, o));
        if (isSpoiled(f32x4.sub(all, all))) {
          const apart = row * <usize> channels;
          i = sumExactly(gates + at, weight, before, channels, count);
          f = sumExactly(gates + row + at, weight + apart, before, channels, count);
          g = sumExactly(gates + 2 * row + at, weight + 2 * apart, before, channels, count);
          o = sumExactly(gates + 3 * row + at, weight + 3 * apart, before, channels, count);
        }
        const next = madd(sigmoid(f), read(nextCell + at, count), f32x4.mul(sigmoid(i), tanh(g)));
        write(nextCell + at, next, count);
        write(y + at, f32x4.mul(sigmoid(o), tanh(next)), count);
      }
    }
    copy(nextHidden, before, channels);
  }
}

const four = memory.data(16, 16);

/** One gate of `count` channels in double precision: partial sums may be infinite, of both signs, where the sum is not. */
function sumExactly(gates: usize, weight: usize, hidden: usize, channels: i32, count: i32): v128 {
  const row = (<usize> channels) << 2;
  for (let c: usize = 0; c < <usize> count; c++, weight += row) {
    const sum = <f64> load<f32>(gates + (c << 2)) + dot(weight, 4, hidden, 4, channels);
    store<f32>(four + (c << 2), <f32> sum);
  }
  return v128.load(four);
}

/**
 * Back through time, all sequences together. What the gates were stands in `gPreactivations` until its gradient takes its
 * place. The scratch memory has the cells before each step and behind the last, sequence by sequence, then the weights in
 * panels, then the gradients of one step's gates.
 */
export function lstmRecurrenceBackward(
  gPreactivations: usize,
  gHidden: usize,
  gCell: usize,
  gy: usize,
  gNextHidden: usize,
  gNextCell: usize,
  preactivations: usize,
  hiddenWeight: usize,
  cell: usize,
  batch: i32,
  time: i32,
  channels: i32,
  scratch: usize,
): void {
  const row = (<usize> channels) << 2;
  const sequence = row * <usize> time, cells = sequence + row;
  const panels = scratch + <usize> batch * cells;
  const gGates = panels + 4 * row * <usize> inPanels(channels);
  for (let b = 0; b < batch; b++) {
    const from = scratch + <usize> b * cells, gates = 4 * <usize> b * sequence;
    copy(from, cell + <usize> b * row, channels);
    activate(gPreactivations + gates, from, preactivations + gates, time, channels);
  }
  copy(gHidden, gNextHidden, batch * channels);
  copy(gCell, gNextCell, batch * channels);
  pack(panels, hiddenWeight, row, 4 * channels, channels);
  for (let t = time - 1; t >= 0; t--) {
    for (let b = 0; b < batch; b++) {
      const state = <usize> b * row;
      const step = <usize> b * sequence + <usize> t * row;
      const before = scratch + state + step;
      stepBack(gPreactivations + 4 * step, gGates + 4 * state, gHidden + state, gCell + state, gy + step, before, channels);
    }
    multiply(gHidden, row, gGates, 4 * row, 4, panels, row << 5, batch, 4 * channels, channels, false);
    if (!areFinite(gHidden, row * <usize> batch)) {
      mendProducts(gHidden, row, gGates, 4 * row, 4, hiddenWeight, 4, row, 0, batch, 4 * channels, channels);
    }
  }
}

/** The gates of one sequence, and the cell behind each step from the one before. */
function activate(gates: usize, cell: usize, preactivations: usize, time: i32, channels: i32): void {
  const row = (<usize> channels) << 2;
  for (let t = 0; t < time; t++, gates += 4 * row, preactivations += 4 * row, cell += row) {
    for (let c = 0; c < channels; c += 4) {
      const count = min(channels - c, 4);
      const at = (<usize> c) << 2;
      const from = preactivations + at, to = gates + at;
      const i = sigmoid(read(from, count)), f = sigmoid(read(from + row, count));
      const g = tanh(read(from + 2 * row, count)), o = sigmoid(read(from + 3 * row, count));
      write(to, i, count), write(to + row, f, count), write(to + 2 * row, g, count), write(to + 3 * row, o, count);
      write(cell + row + at, madd(f, read(cell + at, count), f32x4.mul(i, g)), count);
    }
  }
}

/** One step of one sequence; the gradients of its gates take their place, and stand a second time with those of others. */
function stepBack(
  gates: usize,
  gGates: usize,
  gHidden: usize,
  gCell: usize,
  gy: usize,
  cell: usize,
  channels: i32,
): void {
  const row = (<usize> channels) << 2;
  const one = constant(ONE);
  for (let c = 0; c < channels; c += 4) {
    const count = min(channels - c, 4);
    const at = (<usize> c) << 2;
    const to = gates + at, copied = gGates + at;
    const i = read(to, count), f = read(to + row, count);
    const g = read(to + 2 * row, count), o = read(to + 3 * row, count);
    const squashed = tanh(read(cell + row + at, count));
    const gh = f32x4.add(read(gHidden + at, count), read(gy + at, count));
    const gc = madd(f32x4.mul(gh, o), nmadd(squashed, squashed, one), read(gCell + at, count));
    // What comes from behind is multiplied last: with a cell as large it might be infinite where a closed gate makes it 0.
    const gi = f32x4.mul(gc, f32x4.mul(g, nmadd(i, i, i)));
    const gf = f32x4.mul(gc, f32x4.mul(read(cell + at, count), nmadd(f, f, f)));
    const gg = f32x4.mul(gc, f32x4.mul(i, nmadd(g, g, one)));
    const go = f32x4.mul(gh, f32x4.mul(squashed, nmadd(o, o, o)));
    write(to, gi, count), write(copied, gi, count);
    write(to + row, gf, count), write(copied + row, gf, count);
    write(to + 2 * row, gg, count), write(copied + 2 * row, gg, count);
    write(to + 3 * row, go, count), write(copied + 3 * row, go, count);
    write(gCell + at, f32x4.mul(gc, f), count);
  }
}
