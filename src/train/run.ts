/**
 * A training as a value that can be saved and loaded: everything that determines how it continues.
 *
 * @module
 */
import { createReference } from "../backends/reference/mod.ts";
import { checkInteger, checkNumber, show } from "../check.ts";
import { loadTree, saveTree } from "../checkpoint/mod.ts";
import type { Backend } from "../tensor.ts";
import { put } from "../transfer.ts";
import { tensorsOf } from "../tree.ts";
import type { OptimizerState } from "./adam_w.ts";
import type { Objective } from "./objective.ts";
import { floatsConstructorOf } from "./ravel.ts";

/** The settings of a training. */
export interface Settings {
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly accumulate: number;
  readonly carryState: boolean;
  /** The highest rate of the cosine; null if the caller has a function. */
  readonly learningRate: number | null;
  readonly floor: number;
  readonly warmup: number;
  readonly maxNorm: number;
}

/** The options that determine the settings. */
export type SettingsOptions =
  & { readonly [K in Exclude<keyof Settings, "learningRate">]?: Settings[K] | undefined }
  & {
    readonly learningRate?: number | ((step: number, steps: number) => number) | undefined;
  };

/** A training between two steps. */
export interface Run<Params> {
  readonly settings: Settings;
  readonly params: Params;
  readonly optimizer: OptimizerState<Params>;
  /** The state that is carried to the next batch; null at the start of an epoch, or if none is carried. */
  readonly state: unknown;
  /** The number of tokens in the current epoch so far, and the sum of their losses. */
  readonly sum: { readonly loss: number; readonly tokens: number };
}

const action = "fit";
/** Distinguishes checkpoints of trainings from other saved trees; includes a version. */
const kind = "seqmix.fit.1";

const defaults: Settings = {
  seed: 0,
  epochs: 50,
  batchSize: 32,
  accumulate: 1,
  carryState: false,
  learningRate: 1e-3,
  floor: 0,
  warmup: 0,
  maxNorm: 1,
};

const names = Object.keys(defaults) as (keyof Settings)[];

/** The settings in the options, checked. */
export function settingsOf({ learningRate: rate, ...options }: SettingsOptions): Settings {
  const others = Object.fromEntries(
    names.map((name) => [name, options[name as keyof typeof options] ?? defaults[name]]),
  );
  const learningRate = typeof rate === "function" ? null : rate ?? defaults.learningRate;
  return checked({ ...others as unknown as Settings, learningRate }, options);
}

function checked(settings: Settings, options: SettingsOptions): Settings {
  const { learningRate, floor, carryState } = settings;
  checkInteger(action, "seed", settings.seed, 0);
  checkInteger(action, "epochs", settings.epochs, 1);
  checkInteger(action, "batchSize", settings.batchSize, 1);
  checkInteger(action, "accumulate", settings.accumulate, 1);
  checkInteger(action, "warmup", settings.warmup, 0);
  if (learningRate !== null) checkPositive("learningRate", learningRate);
  checkPositive("maxNorm", settings.maxNorm);
  if (typeof carryState !== "boolean") {
    throw new TypeError(
      `Cannot ${action}: carryState must be a boolean, current value is ${show(carryState)}`,
    );
  }
  if (learningRate === null) {
    for (const name of ["floor", "warmup"] as const) {
      if (options[name] === undefined) continue;
      throw new TypeError(
        `Cannot ${action}: ${name} must go with a number as learningRate, current learningRate is a function`,
      );
    }
  } else if (!(typeof floor === "number" && floor >= 0 && floor <= learningRate)) {
    throw new RangeError(
      `Cannot ${action}: floor must be a number from 0 to learningRate, current floor is ${show(floor)}`,
    );
  }
  return settings;
}

function checkPositive(name: string, value: number): void {
  checkNumber(action, name, value);
  if (value > 0) return;
  throw new RangeError(`Cannot ${action}: ${name} must be a number above 0, current ${name} is ${value}`);
}

/** What is trained, on which examples. */
type Trained = Pick<Objective<never, never, unknown>, "name" | "fingerprint">;

/** A checkpoint of a training. */
export async function saveRun<P>(
  run: Run<P>,
  { name: model, fingerprint }: Trained,
): Promise<Uint8Array<ArrayBuffer>> {
  const [first] = tensorsOf(run.params);
  const isDouble = await floatsConstructorOf(first) === Float64Array;
  const host = createReference({ precision: isDouble ? "float64" : "float32" });
  // `using` would do the same, but Node.js 20 does not support it.
  try {
    const saved = { model, sequences: fingerprint(), run: await put(run, host) };
    return saveTree(saved, { kind });
  } finally {
    host[Symbol.dispose]();
  }
}

/**
 * Loads what {@linkcode saveRun} saved. What is trained, the examples and the settings in the options must be the same;
 * only the number of epochs may be larger.
 */
export function loadRun<P, O extends Trained>(
  bytes: Uint8Array | ArrayBuffer,
  objectiveOf: (settings: Settings) => O,
  options: SettingsOptions,
  backend: Backend,
): { run: Run<P>; objective: O } {
  const { tree, metadata } = loadTree(bytes, backend);
  try {
    demand("resume must be a checkpoint of fit", kind, metadata.kind);
    const saved = tree as { model: string; sequences: string; run: Run<P> };
    // Older checkpoints lack newer settings.
    const settings = { ...defaults, ...saved.run.settings };
    const objective = objectiveOf(settings);
    demand("model must be the checkpoint's", saved.model, objective.name);
    demand("train must be the checkpoint's", saved.sequences, objective.fingerprint());
    const { epochs = settings.epochs, learningRate } = options;
    checkInteger(action, "epochs of a resumed run", epochs, settings.epochs);
    for (const name of names) {
      if (name === "epochs" || options[name] === undefined) continue;
      if (name === "learningRate" && settings.learningRate === null) continue;
      demand(`${name} must be the checkpoint's`, settings[name], options[name]);
    }
    if (settings.learningRate === null && typeof learningRate !== "function") {
      throw new TypeError(
        `Cannot ${action}: learningRate must be a function, as the checkpoint's, current value is ${
          show(learningRate)
        }`,
      );
    }
    const { state = null } = saved.run;
    return { run: { ...saved.run, state, settings: { ...settings, epochs } }, objective };
  } catch (error) {
    backend.free(tree);
    throw error;
  }
}

function demand(requirement: string, expected: unknown, current: unknown): void {
  if (current === expected) return;
  throw new TypeError(`Cannot ${action}: ${requirement}, ${show(expected)}, current one is ${show(current)}`);
}
