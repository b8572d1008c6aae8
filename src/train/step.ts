/**
 * A compiled training step: the gradient of a batch, computed here or by workers, and the update of the parameters.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import { engineOf } from "../engine.ts";
import type { Batch } from "../models/batches.ts";
import type { LanguageModel } from "../models/language_model.ts";
import { compile } from "../runtime/compile.ts";
import type { Backend, Tensor } from "../tensor.ts";
import { allDone, tensor } from "../transfer.ts";
import { adamW, type AdamWHyper, type OptimizerState } from "./adam_w.ts";
import { batchGradient, lossAndGrads, partGradient, partsOf } from "./batch_gradient.ts";
import { clipByGlobalNorm } from "./clip.ts";
import { unravel } from "./ravel.ts";
import type { WorkerPool } from "./workers.ts";

/** The values that a step updates. */
export interface Training<Params> {
  readonly params: Params;
  readonly optimizer: OptimizerState<Params>;
}

/** Takes training steps. Disposing of it frees the compiled functions. */
interface TrainingStep<Params> extends Disposable {
  /** Takes one step. Returns the loss before it, and the parameters and the optimiser's state after it. */
  take(
    from: Training<Params>,
    batch: Batch,
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
  readonly loss: Promise<number>;
}

/**
 * Creates the function that takes steps.
 *
 * @param hyper the optimiser's hyperparameters, without the learning rate
 * @param pool the workers, if any
 */
export function trainingStep<Params, State>(
  model: LanguageModel<never, Params, State>,
  backend: Backend,
  hyper: Omit<AdamWHyper, "learningRate">,
  maxNorm: number,
  pool: WorkerPool<Params> | null,
): TrainingStep<Params> {
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
  const gradient = partGradient(model), compiledUpdate = compile(update);
  /** Gradient and update in one function, for a batch that goes through the model in one part. */
  const whole = compile((
    params: Params,
    moments: Moments<Params>,
    inputs: Batch["inputs"],
    targets: Batch["targets"],
    weights: Batch["weights"],
    numbers: ScalarInputs,
  ) => {
    const { value, grads } = lossAndGrads(model, params, { inputs, targets, weights });
    return { value, ...update(grads, params, moments, numbers) };
  });

  /** The gradient and then the update, by workers or part by part. */
  async function inParts(
    { params }: Training<Params>,
    moments: Moments<Params>,
    batch: Batch,
    numbers: ScalarInputs,
    signal: AbortSignalLike | undefined,
  ): Promise<Taken<Params>> {
    if (pool !== null) {
      const { loss, grads } = await pool.gradient(params, batch, signal);
      const own = unravel(params, grads, backend);
      try {
        const next = await compiledUpdate.withTurns([own, params, moments, numbers], signal);
        // If the device is asynchronous, a failed update rejects the promise of the loss.
        const updated = allDone(backend) ?? Promise.resolve();
        return { ...next, loss: updated.then(() => loss) };
      } finally {
        backend.free(own);
      }
    }
    const { value, grads } = await batchGradient(gradient, params, batch, backend, 1, signal);
    try {
      const next = await compiledUpdate.withTurns([grads, params, moments, numbers], signal);
      return { ...next, loss: numberOf(value) };
    } finally {
      backend.free([value, grads]);
    }
  }

  return {
    async take(from, batch, learningRate, signal) {
      const { params, optimizer: { step, mean, variance } } = from, moments = { mean, variance };
      const { inputs, targets, weights } = batch;
      const numbers = backend.scope(() => ({
        step: tensor([step], [], backend),
        learningRate: tensor([learningRate], [], backend),
      }));
      try {
        let next: Taken<Params>;
        if (pool === null && partsOf(params, batch, backend) === 1) {
          const { value, ...rest } = await whole.withTurns(
            [params, moments, inputs, targets, weights, numbers],
            signal,
          );
          next = { ...rest, loss: numberOf(value) };
          backend.free(value);
        } else {
          next = await inParts(from, moments, batch, numbers, signal);
        }
        return { params: next.params, optimizer: { step: step + 1, ...next.moments }, loss: next.loss };
      } finally {
        backend.free(numbers);
      }
    },
    [Symbol.dispose]() {
      for (const compiled of [gradient, compiledUpdate, whole]) compiled[Symbol.dispose]();
    },
  };
}

/** The number in a tensor. The tensor may be freed right away, since the device copies it first. */
async function numberOf(value: Tensor): Promise<number> {
  const [number] = await engineOf(value.backend).download(value);
  return number;
}
