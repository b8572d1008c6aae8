/**
 * Models over the positions of a batch that a mask lets them read.
 *
 * @module
 */
import type { Mask } from "../mask.ts";
import { pick, place } from "../ops/pick/mod.ts";
import type { Tensor } from "../tensor.ts";
import { mapTensors, tensorsByPlace } from "../tree.ts";

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

/**
 * Layers whose state is of one size, over the positions that are read. Each row's are moved together, so that all rows start at
 * once, and leave the batch, the shortest first, with the state that they have there.
 *
 * @param layers from x `[B, T, C]` and a state to y `[B, T, C]` and the next, of tensors that are its own
 * @returns y, where nothing is read 0, and the state after each row's last position
 */
export function runMasked<State>(
  layers: (x: Tensor, state: State) => { readonly y: Tensor; readonly state: State },
  x: Tensor,
  state: State,
  { batch, time, rows }: Mask,
): { y: Tensor; state: State } {
  const all = [...rows.keys()], lengths = rows.map((positions) => positions.length);
  const ys: Tensor[] = [], read: number[] = [];
  /** The states in which rows leave, and of each of their rows which one it is, or -1 if it goes on. */
  const states: State[] = [], left: number[] = [];
  let active = all, start = 0, now = state;
  for (const length of [...new Set([0, ...lengths])].sort((a, b) => a - b)) {
    if (length > 0) {
      const positions = active.flatMap((b) => rows[b].slice(start, length).map((t) => b * time + t));
      const next = layers(pick(x, [active.length, length - start], positions), now);
      ys.push(next.y);
      read.push(...positions);
      now = next.state;
    }
    const goOn = active.filter((b) => lengths[b] > length);
    if (goOn.length < active.length) {
      states.push(now);
      left.push(...active.map((b) => lengths[b] === length ? b : -1));
      if (goOn.length > 0) now = rowsOf(now, goOn.map((b) => active.indexOf(b)));
    }
    active = goOn;
    start = length;
  }
  // Where nothing is read, nobody looks at y.
  const y = ys.length === 0 ? x : place(ys, [batch, time], read);
  // The given state is not to be passed on.
  const isWhole = now !== state && states.length === 1 && left.every((b, i) => b === i);
  return { y, state: isWhole ? now : joined(states, batch, left) };
}

/** Rows of a state, copied. */
function rowsOf<State>(state: State, indices: readonly number[]): State {
  return mapTensors(state, (t) => pick(t, [indices.length], indices));
}

/** The state of a whole batch from states that have each of its rows once. */
function joined<State>(states: readonly State[], batch: number, rows: readonly number[]): State {
  const parts = states.map(tensorsByPlace);
  const tensors = parts[0].map((_, i) => place(parts.map((part) => part[i]), [batch], rows));
  let next = 0;
  return mapTensors(states[states.length - 1], () => tensors[next++]);
}
