/**
 * Models over the positions of a batch that a mask lets them read.
 *
 * @module
 */
import type { Mask } from "../mask.ts";
import { stackStates } from "../ops/batch/mod.ts";
import { pick, place } from "../ops/pick/mod.ts";
import type { Tensor } from "../tensor.ts";
import { mapTensors } from "../tree.ts";

/** The indices, among the B·T positions, of those that are read: all, or of each row the last. */
function indicesOf({ rows, time }: Mask, which: "all" | "last"): number[] {
  return rows.flatMap((positions, b) =>
    (which === "all" ? positions : positions.slice(-1)).map((t) => b * time + t)
  );
}

/** The logits of a body's results at the positions that are read, of `all` `[B, T, V]` or the `last` `[B, 1, V]`; elsewhere 0. */
export function maskedLogits(
  y: Tensor,
  head: (y: Tensor) => Tensor,
  mask: Mask,
  which: "all" | "last",
): Tensor {
  const { batch, time } = mask, indices = indicesOf(mask, which);
  const logits = head(pick(y, [1, indices.length], indices));
  if (which === "all") return place([logits], [batch, time], indices);
  return place([logits], [batch, 1], indices.map((index) => Math.floor(index / time)));
}

/** A part of a batch: the state of these rows. */
interface Part<State> {
  readonly rows: readonly number[];
  readonly state: State;
}

/**
 * Layers whose state is of one size, over the positions that are read. Each row's are moved together, so that all rows start at
 * once, and leave the batch, the shortest first, with the state that they have there.
 *
 * @param layers from x `[B, T, C]` and a state to y `[B, T, C]` and the next
 * @returns y, where nothing is read 0, and the state after each row's last position
 */
export function runMasked<State>(
  layers: (x: Tensor, state: State) => { readonly y: Tensor; readonly state: State },
  x: Tensor,
  state: State,
  { batch, time, rows }: Mask,
): { y: Tensor; state: State } {
  const all = [...rows.keys()], lengths = rows.map((positions) => positions.length);
  const idle = all.filter((b) => lengths[b] === 0);
  const left: Part<State>[] = idle.length === 0 ? [] : [{ rows: idle, state: rowsOf(state, idle) }];
  const ys: Tensor[] = [], indices: number[] = [];
  let part: Part<State> = { rows: all, state }, start = 0;
  for (const length of [...new Set(lengths)].sort((a, b) => a - b)) {
    part = narrow(part, (b) => lengths[b] >= Math.max(1, length));
    if (length === 0) continue;
    const read = part.rows.flatMap((b) => rows[b].slice(start, length).map((t) => b * time + t));
    const next = layers(pick(x, [part.rows.length, length - start], read), part.state);
    ys.push(next.y);
    indices.push(...read);
    part = { rows: part.rows, state: next.state };
    left.push(narrow(part, (b) => lengths[b] === length));
    start = length;
  }
  // Where nothing is read, nobody looks at y.
  return { y: ys.length === 0 ? x : place(ys, [batch, time], indices), state: joined(left) };
}

/** The rows of a part that are wanted. */
function narrow<State>({ rows, state }: Part<State>, isWanted: (row: number) => boolean): Part<State> {
  const places = [...rows.keys()].filter((i) => isWanted(rows[i]));
  if (places.length === rows.length) return { rows, state };
  return { rows: places.map((i) => rows[i]), state: rowsOf(state, places) };
}

/** Rows of a state, copied. */
function rowsOf<State>(state: State, indices: readonly number[]): State {
  return mapTensors(state, (t) => pick(t, [indices.length], indices));
}

/** The state of the whole batch from parts that have each row once. */
function joined<State>(parts: readonly Part<State>[]): State {
  const state = parts.length === 1 ? parts[0].state : stackStates(parts.map(({ state }) => state));
  const rows = parts.flatMap(({ rows }) => rows);
  if (rows.every((b, i) => b === i)) return state;
  return rowsOf(state, [...rows.keys()].sort((i, j) => rows[i] - rows[j]));
}
