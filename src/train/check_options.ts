/**
 * Checks the data and the options of `fit`.
 *
 * @module
 */
import { checkSignal } from "../abort.ts";
import { checkBackend, checkInteger, checkSequences, show } from "../check.ts";
import { checkNames, type Names } from "../names.ts";
import { backendOf } from "../tree.ts";
import { hyperNames } from "./adam_w.ts";
import type { FitLossOptions, FitOptions, FitTask, TrainingOptions } from "./fit_options.ts";

const action = "fit";
const commonNames: Names<TrainingOptions<unknown, never, unknown>> = {
  params: 0,
  resume: 0,
  seed: 0,
  epochs: 0,
  batchSize: 0,
  accumulate: 0,
  learningRate: 0,
  floor: 0,
  warmup: 0,
  maxNorm: 0,
  hyper: 0,
  backend: 0,
  every: 0,
  validateEvery: 0,
  metrics: 0,
  workers: 0,
  worker: 0,
  module: 0,
  signal: 0,
};
const modelNames: Names<FitOptions<unknown, unknown>> = { config: 0, ...commonNames, carryState: 0 };
const lossNames: Names<FitLossOptions<unknown, never, unknown>> = {
  ...commonNames,
  collate: 0,
  lengthOf: 0,
  weightOf: 0,
  lossName: 0,
};

/** Checks the data and the options of a language model's training. */
export function checkModelOptions<Config, Params, Metrics>(
  task: FitTask,
  options: FitOptions<Config, Params, Metrics>,
): void {
  checkNames<object>(action, options, modelNames);
  const { config, params, resume } = options;
  checkStart({ config, params, resume });
  checkCommon(task, options);
  checkSequences(action, "train", task?.train);
  if (task.test !== undefined) checkSequences(action, "test", task.test);
}

/** Checks the data and the options of a loss's training. */
export function checkLossOptions<Params, Example, Metrics>(
  task: FitTask<Example>,
  options: FitLossOptions<Params, Example, Metrics, unknown>,
): void {
  checkNames<object>(action, options, lossNames);
  const { params, resume, collate, lengthOf, weightOf, lossName } = options;
  checkStart({ params, resume });
  checkCommon(task, options);
  checkFunction("collate", "turns examples into numbers", collate);
  checkFunction("lengthOf", "gives the length of an example", lengthOf);
  checkFunction("weightOf", "gives the weight of an example", weightOf);
  if (lossName !== undefined && typeof lossName !== "string") {
    throw new TypeError(`Cannot ${action}: lossName must be a string, current value is ${show(lossName)}`);
  }
  checkExamples("train", task?.train);
  if (task.test !== undefined) checkExamples("test", task.test);
}

/** Checks that a training starts from exactly one thing. */
function checkStart(starts: Readonly<Record<string, unknown>>): void {
  const names = Object.keys(starts), given = names.filter((name) => starts[name] !== undefined);
  if (given.length !== 1) {
    throw new TypeError(
      `Cannot ${action}: exactly one of ${names.slice(0, -1).join(", ")} and ${
        names.at(-1)
      } must be given, current ones are ${given.join(", ") || "none"}`,
    );
  }
}

function checkCommon<Params, Example, Metrics>(
  task: FitTask<Example>,
  options: TrainingOptions<Params, Example, Metrics>,
): void {
  if (options.hyper !== undefined) checkNames(action, options.hyper, hyperNames, "hyper");
  const { params, backend, every, validateEvery, metrics, workers = 1, worker, module } = options;
  checkSignal(action, options.signal);
  if (params !== undefined) backendOf(action, "params", params);
  if (backend !== undefined) checkBackend(action, backend);
  if (every !== undefined) checkInteger(action, "every", every, 1);
  checkInteger(action, "workers", workers, 1);
  checkFunction("worker", "starts one", worker);
  checkModule(module);
  checkFunction("metrics", "measures", metrics);
  if (validateEvery !== undefined) checkInteger(action, "validateEvery", validateEvery, 1);
  for (const [name, value] of Object.entries({ validateEvery, metrics })) {
    if (value === undefined || task?.test !== undefined) continue;
    throw new TypeError(`Cannot ${action}: ${name} must come with test examples, current test is undefined`);
  }
}

function checkFunction(name: string, purpose: string, value: unknown): void {
  if (value === undefined || typeof value === "function") return;
  throw new TypeError(
    `Cannot ${action}: ${name} must be a function that ${purpose}, current ${name} is ${show(value)}`,
  );
}

/** A worker would resolve a relative path from its own script. */
function checkModule(module: unknown): void {
  const url = typeof module === "object" && module !== null ? (module as { href?: unknown }).href : module;
  if (module === undefined || typeof url === "string" && !/^\.\.?\//.test(url)) return;
  throw new TypeError(
    `Cannot ${action}: module must be an absolute URL, current module is ${show(module)}`,
  );
}

function checkExamples(name: string, examples: unknown): void {
  if (Array.isArray(examples) && examples.length > 0) return;
  throw new TypeError(
    `Cannot ${action}: ${name} must be a list of at least one example, current value is ${show(examples)}`,
  );
}
