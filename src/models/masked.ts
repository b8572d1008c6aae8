/**
 * Runs models on a batch with a mask.
 *
 * @module
 */
import type { Mask } from "../mask.ts";
import { pick, place } from "../ops/pick/mod.ts";
import type { Tensor } from "../tensor.ts";
import { mapTensors, tensorsByPlace } from "../tree.ts";

/** The indices of the positions that are read among all B·T: all of them, or the last one of each row. */
function indicesOf({ rows, time }: Mask, which: "all" | "last"): number[] {
  return rows.flatMap((positions, b) =>
    (which === "all" ? positions : positions.slice(-1)).map((t) => b * time + t)
  );
}

/**
 * The logits at the positions that are read, from the output y of the layers: `[B, T, V]` for `all`, with 0 at the
 * others, or `[B, 1, V]` for the `last` of each row, 0 if there is none.
 */
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
 * Runs layers with a state of constant size on the positions that are read. The positions of each row are moved to its
 * start, so that all rows start together; a row leaves the batch after its last position, the shortest first.
 *
 * @param layers from x `[B, T, C]` and a state to y `[B, T, C]` and the next state, which shares no tensor with the
 *   first
 * @returns y, which is 0 at skipped positions if any position is read, and the state after each row's last position
 */
export function runMasked<State>(
  layers: (x: Tensor, state: State) => { readonly y: Tensor; readonly state: State },
  x: Tensor,
  state: State,
  { batch, time, rows }: Mask,
): { y: Tensor; state: State } {
  const all = [...rows.keys()], lengths = rows.map((positions) => positions.length);
  const ys: Tensor[] = [], read: number[] = [];
  /** The states in which rows leave; and for each of their rows its index in the batch, or -1 if the row continues. */
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
  // If no position is read, y is not used.
  const y = ys.length === 0 ? x : place(ys, [batch, time], read);
  // The caller's own state must not be returned.
  const isWhole = now !== state && states.length === 1 && left.every((b, i) => b === i);
  return { y, state: isWhole ? now : joined(states, batch, left) };
}

/** Copies rows of a state. */
function rowsOf<State>(state: State, indices: readonly number[]): State {
  return mapTensors(state, (t) => pick(t, [indices.length], indices));
}

/** Joins states, which contain each row of the batch once, into the state of the batch. */
function joined<State>(states: readonly State[], batch: number, rows: readonly number[]): State {
  const parts = states.map(tensorsByPlace);
  const tensors = parts[0].map((_, i) => place(parts.map((part) => part[i]), [batch], rows));
  let next = 0;
  return mapTensors(states[states.length - 1], () => tensors[next++]);
}
