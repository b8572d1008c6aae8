import { constant, ONE, sigmoid, tanh } from "../../backends/wasm/math.as";
import { mendProducts } from "../../backends/wasm/exact.as";
import { inPanels, pack, packTransposed, turn } from "../../backends/wasm/panels.as";
import { multiply } from "../../backends/wasm/tiles.as";
import { areFinite, copy, madd, nmadd, read, write } from "../../backends/wasm/vectors.as";
import { multiplyRow } from "../linear/one_row.as";

/**
 * The recurrence of an LSTM, given the contributions of the inputs to its gates, in the order i, f, g, o. The
 * scratch memory holds a step's products with the weights and, if the weights are packed, their panels.
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
  const row = (<usize> channels) << 2;
  const sums = scratch, panels = sums + 4 * row * <usize> batch;
  const isPacked = batch > 1 && batch * time >= PACKED;
  copy(nextCell, cell, batch * channels);
  copy(nextHidden, hidden, batch * channels);
  if (isPacked) packTransposed(panels, hiddenWeight, row, 4 * channels, channels);
  for (let t = 0; t < time; t++, y += row, gates += 4 * row) {
    let finite = true;
    if (isPacked) {
      multiply(sums, 4 * row, nextHidden, row, 4, panels, row << 3, batch, channels, 4 * channels, false);
      finite = areFinite(sums, 4 * row * <usize> batch);
    } else {
      for (let b = 0; b < batch; b++) {
        const state = <usize> b * row;
        finite = multiplyRow(sums + 4 * state, nextHidden + state, hiddenWeight, 0, channels, 4 * channels) && finite;
      }
    }
    if (!finite) mendProducts(sums, 4 * row, nextHidden, row, 4, hiddenWeight, row, 4, 0, batch, channels, 4 * channels);
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

/** With fewer products, packing the weights costs more than it saves; `scratch.ts` has the same limit. */
const PACKED: i32 = 32;

/**
 * Backpropagates through time, for all sequences together. `gPreactivations` holds the gates until their gradients
 * replace them. The scratch memory holds the cells before each step and after the last, sequence by sequence; then
 * the weights, transposed for one sequence and in panels for more; then the gradients of a step's gates.
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
  if (batch == 1) for (let r = 0; r < channels; r++) {
    turn(panels + 16 * <usize> r, 4 * row, hiddenWeight + 4 * <usize> r * row, row, 4, channels);
  } else pack(panels, hiddenWeight, row, 4 * channels, channels);
  for (let t = time - 1; t >= 0; t--) {
    for (let b = 0; b < batch; b++) {
      const state = <usize> b * row;
      const step = <usize> b * sequence + <usize> t * row;
      const before = scratch + state + step;
      backwardStep(gPreactivations + 4 * step, gGates + 4 * state, gHidden + state, gCell + state, gy + step, before, channels);
    }
    let finite: bool;
    if (batch == 1) {
      finite = multiplyRow(gHidden, gGates, panels, 0, 4 * channels, channels);
    } else {
      multiply(gHidden, row, gGates, 4 * row, 4, panels, row << 5, batch, 4 * channels, channels, false);
      finite = areFinite(gHidden, row * <usize> batch);
    }
    if (!finite) {
      mendProducts(gHidden, row, gGates, 4 * row, 4, hiddenWeight, 4, row, 0, batch, 4 * channels, channels);
    }
  }
}

/** Computes the gates of one sequence, and the cell after each step from the one before. */
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

/**
 * Backpropagates one step of one sequence. The gradients of its gates replace them, and are copied next to those of
 * the other sequences.
 */
function backwardStep(
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
    // The later gradient is multiplied last: its product with a large cell might overflow where a closed gate makes
    // it 0.
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
