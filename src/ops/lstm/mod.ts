/**
 * The recurrence of an LSTM: the part that can't be a matrix product over all steps at once.
 *
 * @module
 */
import { checkShape, sharedBackend } from "../../check.ts";
import type { GradientRule, Tensor } from "../../tensor.ts";

/**
 * Runs the recurrence of an LSTM over time. With `a_t = gates_t + U h_{t-1}` split into the gates i, f, g, o:
 * `c_t = σ(f)·c_{t-1} + σ(i)·tanh(g)`, `h_t = σ(o)·tanh(c_t)` (Hochreiter, Schmidhuber, 1997; gates in PyTorch's order).
 *
 * @param gates `[B, T, 4C]`, what the inputs and the bias add to the gates
 * @param hiddenWeight U `[4C, C]`
 * @param state hidden and cell `[B, C]` before the first step
 * @returns y `[B, T, C]`, every h, and the state after the last step
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { lstmRecurrence, read, tensor } from "@seqmix/seqmix";
 *
 * const zero = tensor([0], [1, 1]);
 * const gates = tensor([0, 0, 100, 0], [1, 1, 4]);
 * const { state } = lstmRecurrence(gates, tensor([0, 0, 0, 0], [4, 1]), { hidden: zero, cell: zero });
 * console.log(await read(state.cell)); // Float32Array [ 0.5 ]
 * ```
 */
export function lstmRecurrence(
  gates: Tensor,
  hiddenWeight: Tensor,
  state: { readonly hidden: Tensor; readonly cell: Tensor },
): { y: Tensor; state: { hidden: Tensor; cell: Tensor } } {
  const action = "run LSTM recurrence";
  checkShape(action, "hiddenWeight", hiddenWeight, "4C", "C");
  const channels = hiddenWeight.shape[1];
  checkShape(action, "hiddenWeight", hiddenWeight, 4 * channels, channels);
  checkShape(action, "gates", gates, "B", "T", 4 * channels);
  checkShape(action, "state.hidden", state.hidden, gates.shape[0], channels);
  checkShape(action, "state.cell", state.cell, gates.shape[0], channels);
  const names = "gates, hiddenWeight, state.hidden, state.cell";
  const backend = sharedBackend(action, names, gates, hiddenWeight, state.hidden, state.cell);
  const [y, hidden, cell] = backend.lstmRecurrence(gates, hiddenWeight, state.hidden, state.cell);
  return { y, state: { hidden, cell } };
}

/**
 * Back through time. What every step added up to, a_t = gates_t + U h_{t-1}, is made again in one product, since every h is
 * known; then gU = Σ ga_t h_{t-1}ᵀ is one product as well, and only ga itself needs a walk from the last step to the first.
 */
export const lstmRecurrenceGradient: GradientRule<"lstmRecurrence"> = (
  [gates, hiddenWeight, hidden, cell],
  [y],
  [gy, gNextHidden, gNextCell],
  wanted,
) => {
  const { backend } = gates;
  const before = backend.shiftTime(y, hidden);
  const preactivations = backend.add(gates, backend.linear(before, hiddenWeight, null));
  const [gGates, gHidden, gCell] = backend.backward.lstmRecurrence(
    gy,
    gNextHidden,
    gNextCell,
    preactivations,
    hiddenWeight,
    cell,
  );
  const gHiddenWeight = wanted[1] ? backend.backward.linearWeight(gGates, before, false)[0] : null;
  return [gGates, gHiddenWeight, gHidden, gCell];
};
