/**
 * The steps of a training.
 *
 * @module
 */
import { checkNumber } from "../check.ts";
import type { Backend } from "../tensor.ts";
import { tensorsOf } from "../tree.ts";
import type { FitTask, TrainingOptions } from "./fit_options.ts";
import type { FitProgress } from "./fit_progress.ts";
import type { Objective } from "./objective.ts";
import { type Run, saveRun, type Settings } from "./run.ts";
import { cosineDecay } from "./schedule.ts";
import { trainingStep } from "./step.ts";
import type { WorkerPool } from "./workers.ts";

const action = "fit";
/** The number of steps that a device may lag behind before the training waits for it. */
const stepsAhead = 8;

/** Frees a run that was never reported. */
export function freeRun<Params>(run: Run<Params>, backend: Backend, given: Params | undefined): void {
  backend.free([run.optimizer, run.state]);
  freeParams(run.params, backend, given);
}

/** Frees parameters, except the tensors that the caller provided. */
export function freeParams<Params>(params: Params, backend: Backend, given: Params | undefined): void {
  const kept = new Set(tensorsOf(given));
  backend.free(tensorsOf(params).filter((t) => !kept.has(t)));
}

/** The steps of a training from its current state to its end. */
export async function* takeSteps<Params, Example, Batch, Test, Metrics>(
  objective: Objective<Params, Batch, Test>,
  { test }: FitTask<Example>,
  options: TrainingOptions<Params, Example, Metrics>,
  backend: Backend,
  start: Run<Params>,
  pool: WorkerPool<Params, Batch> | null,
): AsyncGenerator<FitProgress<Params, Test, Metrics>, void> {
  const { signal, validateEvery, params: given } = options;
  const { settings } = start;
  let run = start;
  const { epochs, accumulate, batchSize } = settings;
  const perEpoch = Math.ceil(objective.orderOf(0).length / accumulate), steps = epochs * perEpoch;
  const rateOf = rates(options, settings, steps);
  const first = run.optimizer.step;
  let order = objective.orderOf(Math.floor(first / perEpoch));
  /** The last report, whose tensors the caller may use until the next one. */
  let reported: Run<Params> | null = null;
  let reports: { readonly loss: Promise<number>; readonly tokens: number }[] = [];
  let tokens = 0, training = 0, evaluating = 0, evaluations = 0;
  let begun = performance.now();
  using stepper = trainingStep(objective, backend, options.hyper ?? {}, settings.maxNorm, pool);

  try {
    for (let step = first; step < steps;) {
      signal?.throwIfAborted();
      const place = step % perEpoch, epoch = (step - place) / perEpoch;
      if (place === 0) {
        order = objective.orderOf(epoch);
        run = { ...run, sum: { loss: 0, tokens: 0 } };
      }
      const batches = order.slice(place * accumulate, (place + 1) * accumulate).map((rows, i) =>
        objective.batchAt(rows, (step * accumulate + i) * batchSize)
      );
      const learningRate = rateOf(step), before = run;
      const { loss, ...next } = await stepper.take(run, batches, learningRate, signal);
      run = { ...run, ...next };
      if (before.params !== reported?.params) freeRun(before, backend, given);
      step++;
      const size = batches.reduce((sum, batch) => sum + objective.lengthOf(batch), 0);
      reports.push({ loss: finite(loss, step), tokens: size });
      tokens += size;
      await reports[reports.length - stepsAhead]?.loss;

      const ended = step % perEpoch === 0;
      if (ended) {
        // The next epoch starts from the initial state.
        backend.free(run.state);
        run = { ...run, state: null };
      }
      const isValidated = test !== undefined &&
        (validateEvery === undefined ? ended : step % validateEvery === 0 || step === steps);
      if (!ended && !isValidated && reports.length !== options.every) continue;
      const losses = await Promise.all(reports.map(({ loss }) => loss));
      const sum = { ...run.sum };
      losses.forEach((loss, i) => {
        sum.loss += loss * reports[i].tokens;
        sum.tokens += reports[i].tokens;
      });
      reports = [];
      const current = run = { ...run, sum };
      const { params, optimizer, state } = current;
      const trained = performance.now();
      training += trained - begun;
      let score: Test | null = null, metrics: Metrics | null = null;
      if (isValidated) {
        score = await objective.evaluate(params, signal);
        if (options.metrics !== undefined) metrics = await options.metrics(params, test);
        evaluating += performance.now() - trained;
        evaluations++;
      }
      const interval = validateEvery ?? perEpoch;
      const evaluationsLeft = Math.ceil(steps / interval) - Math.ceil(step / interval);
      const left = (steps - step) * training / (step - first) +
        (evaluations && evaluationsLeft * evaluating / evaluations);
      if (reported !== null) freeRun(reported, backend, given);
      reported = current;
      yield {
        epoch: epoch + 1,
        epochs,
        step,
        steps,
        losses,
        trainLoss: sum.loss / sum.tokens,
        test: score,
        metrics,
        learningRate,
        tokensPerSecond: 1000 * tokens / training,
        secondsLeft: left / 1000,
        backend,
        params,
        optimizer,
        state,
        checkpoint: () => saveRun(current, objective),
      };
      begun = performance.now();
    }
  } finally {
    if (run.params !== reported?.params) freeRun(run, backend, given);
  }
}

/** The learning rate of each step. */
function rates(
  { learningRate }: Pick<TrainingOptions<never, never, unknown>, "learningRate">,
  { learningRate: peak, warmup, floor }: Settings,
  steps: number,
): (step: number) => number {
  if (peak !== null) return (step) => cosineDecay(step, steps, peak, { warmup, floor });
  return (step) => {
    const rate = (learningRate as (step: number, steps: number) => number)(step, steps);
    const name = `learningRate of step ${step}`;
    checkNumber(action, name, rate);
    if (rate >= 0 && rate < Infinity) return rate;
    throw new RangeError(`Cannot ${action}: ${name} must be finite and at least 0, current value is ${rate}`);
  };
}

/** Checks that the loss of a step is finite. */
function finite(loss: Promise<number>, step: number): Promise<number> {
  const checked = loss.then((value) => {
    if (Number.isFinite(value)) return value;
    throw new RangeError(
      `Cannot ${action}: losses must be finite (a lower learningRate may help), current loss of step ${step} is ${value}`,
    );
  });
  // Whoever awaits the loss gets the error; without this, it would also be an unhandled rejection.
  checked.catch(() => {});
  return checked;
}
