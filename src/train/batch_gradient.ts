import type { AbortSignalLike } from "../abort.ts";
import { engineOf } from "../engine.ts";
import { valueAndGrad } from "../autodiff/mod.ts";
import { run } from "../compute.ts";
import { sliceBatchOp, stackStates } from "../ops/batch/mod.ts";
import { add, multiply } from "../ops/elementwise/mod.ts";
import { compile, type Compiled } from "../runtime/compile.ts";
import type { Backend, Floats, Tensor } from "../tensor.ts";
import { tensor } from "../transfer.ts";
import { mapTensors, tensorsOf, withTensors } from "../tree.ts";
import type { BatchLoss, Inputs, Part } from "./objective.ts";
import { ravel } from "./ravel.ts";

/** A mean loss, and its gradient. */
export interface LossAndGrads<Params> {
  readonly value: Tensor;
  readonly grads: Params;
}

/** The same, and the state after the batch. */
interface WithState<Params> {
  readonly sum: LossAndGrads<Params>;
  readonly state: unknown;
}

/** The gradients of parts of batches. Disposing of it frees the compiled function. */
export interface PartGradient<Params, Batch> extends Disposable {
  readonly loss: BatchLoss<Params, Batch>;
  /** Maps the parameters, a part's share, the sum of the earlier parts, the state and the part to the new sum. */
  readonly compiled: Compiled<
    [
      params: Params,
      share: Tensor | null,
      before: LossAndGrads<Params> | null,
      state: unknown,
      tensors: unknown,
      ...lists: readonly unknown[],
    ],
    WithState<Params>
  >;
}

/** The mean loss of a batch times a share, its gradient, and the state after the batch. */
export function lossAndGrads<Params>(
  { loss }: Pick<BatchLoss<Params, never>, "loss">,
  params: Params,
  state: unknown,
  { tensors, lists }: Inputs,
  share: Tensor | null = null,
): WithState<Params> {
  const { value, grads, aux } = valueAndGrad((params) => {
    const [mean, next] = loss(params, state, tensors, ...lists as readonly never[]);
    return [share === null ? mean : multiply(mean, share), next] as const;
  }, params);
  return { sum: { value, grads }, state: aux };
}

/** {@linkcode lossAndGrads} of a batch, part by part. */
export function partGradient<Params, Batch>(loss: BatchLoss<Params, Batch>): PartGradient<Params, Batch> {
  const compiled: PartGradient<Params, Batch>["compiled"] = compile(
    (params, share, before, state, tensors, ...lists) => {
      const { sum, state: next } = lossAndGrads(loss, params, state, { tensors, lists }, share);
      if (before === null) return { sum, state: next };
      return {
        sum: { value: add(before.value, sum.value), grads: sumOf(before.grads, sum.grads) },
        state: next,
      };
    },
  );
  return { loss, compiled, [Symbol.dispose]: () => compiled[Symbol.dispose]() };
}

function sumOf<P>(a: P, b: P): P {
  const others = tensorsOf(b);
  return withTensors(a, tensorsOf(a).map((t, i) => add(t, others[i])));
}

/** Options of {@linkcode batchGradient}. */
export interface BatchGradientOptions<Params> {
  /** The share of this batch in the whole; default 1. */
  readonly share?: number;
  /** The sum of the batches before it, which is freed; default: none. */
  readonly before?: LossAndGrads<Params> | null;
  /** The state before the batch; default: the initial one. */
  readonly state?: unknown;
  /** Aborts the computation at a turn of the event loop; null: no turns. */
  readonly signal?: AbortSignalLike | null | undefined;
}

/**
 * The mean loss of a batch and its gradient, times its share, added to those of the batches before it; and the state
 * after it. If computing keeps the caller's thread busy, the batch is split into parts of whole sequences, so that no
 * kernel runs for long. The split depends on sizes and not on a clock, so that the same batch gives the same bits.
 */
export async function batchGradient<Params, Batch>(
  { loss, compiled }: PartGradient<Params, Batch>,
  params: Params,
  batch: Batch,
  backend: Backend,
  { share = 1, before = null, state = null, signal }: BatchGradientOptions<Params> = {},
): Promise<WithState<Params>> {
  let sum = before, row = 0;
  const states: unknown[] = [];
  try {
    const parts = loss.split(batch, loss.partsOf(params, batch, backend));
    for (const part of parts) {
      const rows = loss.rowsOf(part);
      const own = backend.scope(() => ({
        state: parts.length === 1 ? null : rowsOf(state, row, row + rows),
        // Tensors, since another number would be another recording.
        share: share * part.share === 1 ? null : tensor([share * part.share], [], backend),
      }));
      row += rows;
      const earlier: LossAndGrads<Params> | null = sum;
      let inputs: Inputs | null = null;
      try {
        inputs = loss.inputsOf(part, backend);
        const args = [
          params,
          own.share,
          earlier,
          parts.length === 1 ? state : own.state,
          inputs.tensors,
          ...inputs.lists,
        ] as Parameters<typeof compiled>;
        const next = signal === null ? compiled(...args) : await compiled.withTurns(args, signal);
        ({ sum } = next);
        states.push(next.state);
      } finally {
        backend.free([own, inputs?.tensors]);
      }
      backend.free(earlier);
    }
    if (states.length === 1 || states[0] === null) return { sum: sum!, state: states[0] };
    const joined = backend.scope(() => stackStates(states));
    backend.free(states);
    return { sum: sum!, state: joined };
  } catch (error) {
    backend.free([sum, states]);
    throw error;
  }
}

/** The rows of a state from `start` to before `end`. */
function rowsOf(state: unknown, start: number, end: number): unknown {
  return mapTensors(state, (t) => run(sliceBatchOp, [t], [start, end])[0]);
}

/** The same for a part, as numbers: the gradients are raveled into `out`. */
export async function raveledGradient<Params, Batch>(
  gradient: PartGradient<Params, Batch>,
  params: Params,
  part: Part<Batch>,
  backend: Backend,
  out: Floats,
  signal?: AbortSignalLike | null,
): Promise<{ loss: number; grads: Floats }> {
  const { sum } = await batchGradient(gradient, params, part, backend, { share: part.share, signal });
  try {
    const [loss] = await engineOf(backend).download(sum.value);
    return { loss, grads: await ravel(sum.grads, out) };
  } finally {
    backend.free(sum);
  }
}
