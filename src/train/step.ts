/**
 * One step of training, compiled: the gradient of a batch, here or by workers, and the update of the parameters.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import type { LanguageModel } from "../models/language_model.ts";
import { compile } from "../runtime/compile.ts";
import type { Backend, Tensor } from "../tensor.ts";
import { allDone } from "../transfer.ts";
import { adamW, type AdamWHyper, type OptimizerState } from "./adam_w.ts";
import { batchGradient, partGradient } from "./batch_gradient.ts";
import type { Batch } from "./batches.ts";
import { clipByGlobalNorm } from "./clip.ts";
import { fromFlat } from "./flat.ts";
import type { WorkerPool } from "./workers.ts";

/** What a step changes. */
export interface Training<Params> {
  readonly params: Params;
  readonly optimizer: OptimizerState<Params>;
}

/** Takes steps; disposing of it frees what was compiled. */
export interface TrainingStep<Params> extends Disposable {
  /** One step: the loss before it, and the parameters and the optimiser's state after it. */
  take(
    from: Training<Params>,
    batch: Batch,
    learningRate: number,
    signal: AbortSignalLike | undefined,
  ): Promise<Training<Params> & { readonly loss: Promise<number> }>;
}

/**
 * Makes what takes steps.
 *
 * @param hyper those of the optimiser but the learning rate
 * @param pool the workers, if there are any
 */
export function trainingStep<Params, State>(
  model: LanguageModel<never, Params, State>,
  backend: Backend,
  hyper: Omit<AdamWHyper, "learningRate">,
  maxNorm: number,
  pool: WorkerPool<Params> | null,
): TrainingStep<Params> {
  const gradient = partGradient(model);
  const compiledUpdate = compile(
    (grads: Params, params: Params, mean: Params, variance: Params, step: Tensor, learningRate: Tensor) => {
      const state = { step, mean, variance };
      const next = adamW.update(clipByGlobalNorm(grads, maxNorm), state, params, { ...hyper, learningRate });
      return { params: next.params, mean: next.state.mean, variance: next.state.variance };
    },
  );

  async function update(
    grads: Params,
    { params, optimizer }: Training<Params>,
    learningRate: number,
    signal: AbortSignalLike | undefined,
  ): Promise<Training<Params>> {
    const { mean, variance } = optimizer;
    // They change from step to step, so they are tensors.
    const [taken, rate] = backend.scope(
      () => [backend.upload([optimizer.step], []), backend.upload([learningRate], [])],
    );
    try {
      const next = await compiledUpdate.withTurns([grads, params, mean, variance, taken, rate], signal);
      const { params: moved, ...moments } = next;
      return { params: moved, optimizer: { step: optimizer.step + 1, ...moments } };
    } finally {
      backend.free([taken, rate]);
    }
  }

  return {
    async take(from, batch, learningRate, signal) {
      if (pool !== null) {
        const { loss, grads } = await pool.gradient(from.params, batch, signal);
        const own = fromFlat(from.params, grads, backend);
        try {
          const next = await update(own, from, learningRate, signal);
          // Where the device answers later, it is with the loss that it tells of an update that failed.
          const updated = allDone(backend) ?? Promise.resolve();
          return { ...next, loss: updated.then(() => loss) };
        } finally {
          backend.free(own);
        }
      }
      const { value, grads } = await batchGradient(gradient, from.params, batch, backend, 1, signal);
      try {
        const next = await update(grads, from, learningRate, signal);
        return { ...next, loss: Promise.resolve(backend.download(value)).then(([value]) => value) };
      } finally {
        backend.free([value, grads]);
      }
    },
    [Symbol.dispose]() {
      gradient[Symbol.dispose]();
      compiledUpdate[Symbol.dispose]();
    },
  };
}
