/**
 * The recurrence of an LSTM: the part that can't be a matrix product over all steps at once.
 *
 * @module
 */
import { checkShape } from "../../check.ts";
import { compute, run } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";
import { add } from "../elementwise/mod.ts";
import { linear, linearBackwardWeightOp } from "../linear/mod.ts";
import { shiftTime } from "../shift_time/mod.ts";

/**
 * Runs the recurrence of an LSTM over time (Hochreiter, Schmidhuber, 1997; gates in PyTorch's order):
 *
 *     i, f, g, o = gates_t + U h_{t-1}
 *     c_t = σ(f)·c_{t-1} + σ(i)·tanh(g)
 *     h_t = σ(o)·tanh(c_t)
 *
 * @param gates `[B, T, 4C]`, the contributions of the inputs and the bias to the gates
 * @param hiddenWeight U `[4C, C]`
 * @param state hidden and cell `[B, C]` before the first step
 * @returns y `[B, T, C]`, the h of all steps, and the state after the last step
 * @throws {TypeError} on other shapes, or tensors of two backends
 *
 * @example
 * ```ts
 * import { lstmRecurrence, read, tensor } from "@seqmix/seqmix";
 *
 * const zero = tensor([0], [1, 1]);
 * const gates = tensor([0, 0, 100, 0], [1, 1, 4]);
 * const { state } = lstmRecurrence(gates, tensor([0, 0, 0, 0], [4, 1]), { hidden: zero, cell: zero });
 * console.log(await read(state.cell)); // Float32Array(1) [ 0.5 ]
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
  const [y, hidden, cell] = compute(lstmRecurrenceOp, [gates, hiddenWeight, state.hidden, state.cell]);
  return { y, state: { hidden, cell } };
}

/**
 * Backpropagation through time. The preactivations a_t = gates_t + U h_{t-1} are recomputed in one product, since all h
 * are known, and gU = Σ ga_t h_{t-1}ᵀ is one product as well. Only ga itself is computed step by step, from the last to
 * the first.
 */
export const lstmRecurrenceOp = defineOperation({
  name: "lstmRecurrence",
  action: "run LSTM recurrence",
  inputs: ["gates: B T 4C", "hiddenWeight: 4C C", "state.hidden: B C", "state.cell: B C"],
  outputs: ["y: B T C", "nextHidden: B C", "nextCell: B C"],
  sizes: ["B", "T", "C"],
  gradient: ({ inputs: [gates, hiddenWeight, hidden, cell], outputs: [y], grads, wanted }) => {
    const before = shiftTime(y, hidden);
    const preactivations = add(gates, linear(before, hiddenWeight));
    const [gGates, gHidden, gCell] = run(lstmRecurrenceBackwardOp, [
      ...grads,
      preactivations,
      hiddenWeight,
      cell,
    ]);
    const gHiddenWeight = wanted[1] ? run(linearBackwardWeightOp, [gGates, before])[0] : null;
    return [gGates, gHiddenWeight, gHidden, gCell];
  },
});

/** The gradients of the preactivations `a_t = gates_t + U h_{t-1}` and of the first state. */
export const lstmRecurrenceBackwardOp = defineOperation({
  name: "lstmRecurrenceBackward",
  action: "differentiate LSTM recurrence",
  inputs: [
    ...["gy: B T C", "gNextHidden: B C", "gNextCell: B C"] as const,
    ...["preactivations: B T 4C", "hiddenWeight: 4C C", "cell: B C"] as const,
  ],
  outputs: ["gPreactivations: B T 4C", "gHidden: B C", "gCell: B C"],
  sizes: ["B", "T", "C"],
  gradient: "none",
});
