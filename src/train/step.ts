/**
 * A compiled training step: the gradient of a batch, computed here or by workers, and the update of the parameters.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import { engineOf } from "../engine.ts";
import { compile } from "../runtime/compile.ts";
import type { Backend, Floats, Tensor } from "../tensor.ts";
import { allDone, tensor } from "../transfer.ts";
import { adamW, type AdamWHyper, type OptimizerState } from "./adam_w.ts";
import {
  batchGradient,
  type BatchGradientOptions,
  type LossAndGrads,
  lossAndGrads,
  partGradient,
} from "./batch_gradient.ts";
import { clipByGlobalNorm } from "./clip.ts";
import type { BatchLoss, Objective } from "./objective.ts";
import { addTo, unravel } from "./ravel.ts";
import type { WorkerPool } from "./workers.ts";

/** The values that a step updates. */
export interface Training<Params> {
  readonly params: Params;
  readonly optimizer: OptimizerState<Params>;
  /** The state that is carried to the next batch; null: the initial one. */
  readonly state: unknown;
}

/** Takes training steps. Disposing of it frees the compiled functions. */
interface TrainingStep<Params, Batch> extends Disposable {
  /**
   * Takes one step, with the mean gradient of some batches. Returns the mean loss before it, and the parameters and
   * states after it.
   */
  take(
    from: Training<Params>,
    batches: readonly Batch[],
    learningRate: number,
    signal: AbortSignalLike | undefined,
  ): Promise<Training<Params> & { readonly loss: Promise<number> }>;
}

type Moments<Params> = Pick<OptimizerState<Params>, "mean" | "variance">;

/** The numbers that change at every step, as tensors. */
interface ScalarInputs {
  readonly step: Tensor;
  readonly learningRate: Tensor;
}

interface Next<Params> {
  readonly params: Params;
  readonly moments: Moments<Params>;
}

/** The next values, with the loss before the step. */
interface Taken<Params> extends Next<Params> {
  readonly state: unknown;
  readonly loss: Promise<number>;
}

/** The batches of a step, each with its share of their total length. */
type Shares<Batch> = readonly { readonly batch: Batch; readonly share: number }[];

/**
 * Creates the function that takes steps.
 *
 * @param hyper the optimiser's hyperparameters, without the learning rate
 * @param pool the workers, if any
 */
export function trainingStep<Params, Batch>(
  objective: Pick<Objective<Params, Batch, unknown>, keyof BatchLoss<Params, Batch> | "lengthOf">,
  backend: Backend,
  hyper: Omit<AdamWHyper, "learningRate">,
  maxNorm: number,
  pool: WorkerPool<Params, Batch> | null,
): TrainingStep<Params, Batch> {
  function update(
    grads: Params,
    params: Params,
    moments: Moments<Params>,
    numbers: ScalarInputs,
  ): Next<Params> {
    const { step, learningRate } = numbers;
    const clipped = clipByGlobalNorm(grads, maxNorm);
    const next = adamW.update(clipped, { step, ...moments }, params, { ...hyper, learningRate });
    const { mean, variance } = next.state;
    return { params: next.params, moments: { mean, variance } };
  }
  const gradient = partGradient(objective), compiledUpdate = compile(update);
  /** Gradient and update in one function, for a batch that is computed in one part. */
  const whole = compile((
    params: Params,
    moments: Moments<Params>,
    numbers: ScalarInputs,
    before: unknown,
    tensors: unknown,
    ...lists: readonly unknown[]
  ) => {
    const { sum: { value, grads }, state } = lossAndGrads(objective, params, before, { tensors, lists });
    return { value, state, ...update(grads, params, moments, numbers) };
  });

  async function inOne(
    { params, state }: Training<Params>,
    moments: Moments<Params>,
    batch: Batch,
    numbers: ScalarInputs,
    signal: AbortSignalLike | undefined,
  ): Promise<Taken<Params>> {
    const { tensors, lists } = objective.inputsOf(batch, backend);
    try {
      const args: Parameters<typeof whole> = [params, moments, numbers, state, tensors, ...lists];
      const { value, ...next } = await whole.withTurns(args, signal);
      const taken = { ...next, loss: numberOf(value) };
      backend.free(value);
      return taken;
    } finally {
      backend.free(tensors);
    }
  }

  /** The gradient of batch after batch and part after part, and then the update. */
  async function inParts(
    { params, state: before }: Training<Params>,
    moments: Moments<Params>,
    shares: Shares<Batch>,
    numbers: ScalarInputs,
    signal: AbortSignalLike | undefined,
  ): Promise<Taken<Params>> {
    let sum: LossAndGrads<Params> | null = null, state = before;
    try {
      for (const { batch, share } of shares) {
        const earlier: unknown = state;
        const options: BatchGradientOptions<Params> = { share, before: sum, state, signal };
        // It frees the sum of the batches before, also on an error.
        sum = null;
        ({ sum, state } = await batchGradient(gradient, params, batch, backend, options));
        if (earlier !== before) backend.free(earlier);
      }
      const { value, grads } = sum!;
      const next = await compiledUpdate.withTurns([grads, params, moments, numbers], signal);
      return { ...next, state, loss: numberOf(value) };
    } catch (error) {
      if (state !== before) backend.free(state);
      throw error;
    } finally {
      backend.free(sum);
    }
  }

  /** The same by workers. */
  async function byWorkers(
    pool: WorkerPool<Params, Batch>,
    { params }: Training<Params>,
    moments: Moments<Params>,
    shares: Shares<Batch>,
    numbers: ScalarInputs,
    signal: AbortSignalLike | undefined,
  ): Promise<Taken<Params>> {
    const { loss, grads } = await gradientByWorkers(pool, params, shares, signal);
    const own = unravel(params, grads, backend);
    try {
      const next = await compiledUpdate.withTurns([own, params, moments, numbers], signal);
      // If the device is asynchronous, a failed update rejects the promise of the loss.
      const updated = allDone(backend) ?? Promise.resolve();
      return { ...next, state: null, loss: updated.then(() => loss) };
    } finally {
      backend.free(own);
    }
  }

  return {
    async take(from, batches, learningRate, signal) {
      const { params, optimizer: { step, mean, variance } } = from, moments = { mean, variance };
      const [batch] = batches;
      const numbers = backend.scope(() => ({
        step: tensor([step], [], backend),
        learningRate: tensor([learningRate], [], backend),
      }));
      try {
        const isOne = batches.length === 1 && objective.partsOf(params, batch, backend) === 1;
        const next = pool !== null
          ? await byWorkers(pool, from, moments, sharesOf(batches), numbers, signal)
          : isOne
          ? await inOne(from, moments, batch, numbers, signal)
          : await inParts(from, moments, sharesOf(batches), numbers, signal);
        const { params: after, state, loss } = next;
        return { params: after, optimizer: { step: step + 1, ...next.moments }, state, loss };
      } finally {
        backend.free(numbers);
      }
    },
    [Symbol.dispose]() {
      for (const compiled of [gradient, compiledUpdate, whole]) compiled[Symbol.dispose]();
    },
  };

  function sharesOf(batches: readonly Batch[]): Shares<Batch> {
    if (batches.length === 1) return [{ batch: batches[0], share: 1 }];
    const lengths = batches.map((batch) => objective.lengthOf(batch));
    const total = lengths.reduce((a, b) => a + b, 0);
    return batches.map((batch, i) => ({ batch, share: lengths[i] / total }));
  }
}

/** The mean loss of some batches, and its raveled gradient. */
async function gradientByWorkers<Params, Batch>(
  pool: WorkerPool<Params, Batch>,
  params: Params,
  shares: Shares<Batch>,
  signal: AbortSignalLike | undefined,
): Promise<{ loss: number; grads: Floats }> {
  if (shares.length === 1) return await pool.gradient(params, shares[0].batch, signal);
  let loss = 0, grads: Floats | undefined;
  for (const { batch, share } of shares) {
    const own = await pool.gradient(params, batch, signal);
    // The next batch overwrites the gradients.
    grads ??= own.grads.map(() => 0);
    addTo(grads, own.grads, share);
    loss += share * own.loss;
  }
  return { loss, grads: grads! };
}

/** The number in a tensor. The tensor may be freed right away, since the device copies it first. */
async function numberOf(value: Tensor): Promise<number> {
  const [number] = await engineOf(value.backend).download(value);
  return number;
}
