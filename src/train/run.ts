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
import { floatsConstructorOf } from "./ravel.ts";

/** The settings of a training. */
interface Settings {
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly floor: number;
  readonly warmup: number;
  readonly maxNorm: number;
}

/** A training between two steps. */
export interface Run<Params> {
  readonly settings: Settings;
  readonly params: Params;
  readonly optimizer: OptimizerState<Params>;
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
  learningRate: 1e-3,
  floor: 0,
  warmup: 0,
  maxNorm: 1,
};

const names = Object.keys(defaults) as (keyof Settings)[];

/** The settings in the options, checked. */
export function settingsOf(options: Partial<Settings>): Settings {
  const settings = { ...defaults };
  for (const name of names) settings[name] = options[name] ?? defaults[name];
  checkInteger(action, "seed", settings.seed, 0);
  checkInteger(action, "epochs", settings.epochs, 1);
  checkInteger(action, "batchSize", settings.batchSize, 1);
  checkInteger(action, "warmup", settings.warmup, 0);
  for (const name of ["learningRate", "maxNorm"] as const) {
    const value = settings[name];
    checkNumber(action, name, value);
    if (!(value > 0)) {
      throw new RangeError(`Cannot ${action}: ${name} must be a number above 0, current ${name} is ${value}`);
    }
  }
  const { floor, learningRate } = settings;
  if (!(typeof floor === "number" && floor >= 0 && floor <= learningRate)) {
    throw new RangeError(
      `Cannot ${action}: floor must be a number from 0 to learningRate, current floor is ${show(floor)}`,
    );
  }
  return settings;
}

/** A checkpoint of a training of this model on these sequences. */
export async function saveRun<P>(
  run: Run<P>,
  model: string,
  train: readonly ArrayLike<number>[],
): Promise<Uint8Array<ArrayBuffer>> {
  const [first] = tensorsOf(run.params);
  const isDouble = await floatsConstructorOf(first) === Float64Array;
  const host = createReference({ precision: isDouble ? "float64" : "float32" });
  // `using` would do the same, but Node.js 20 does not support it.
  try {
    const saved = { model, sequences: fingerprint(train), run: await put(run, host) };
    return saveTree(saved, { kind });
  } finally {
    host[Symbol.dispose]();
  }
}

/**
 * Loads what {@linkcode saveRun} saved. The model, the sequences and the settings in the options must be the same;
 * only the number of epochs may be larger.
 */
export function loadRun<P>(
  bytes: Uint8Array | ArrayBuffer,
  model: string,
  train: readonly ArrayLike<number>[],
  options: Partial<Settings>,
  backend: Backend,
): Run<P> {
  const { tree, metadata } = loadTree(bytes, backend);
  try {
    demand("resume must be a checkpoint of fit", kind, metadata.kind);
    const saved = tree as { model: string; sequences: string; run: Run<P> };
    demand("model must be the checkpoint's", saved.model, model);
    demand("the training sequences must be the checkpoint's", saved.sequences, fingerprint(train));
    // Checkpoints from before the option `floor` do not have it.
    const settings = { ...defaults, ...saved.run.settings };
    const { epochs = settings.epochs } = options;
    checkInteger(action, "epochs of a resumed run", epochs, settings.epochs);
    for (const name of names) {
      if (name !== "epochs" && options[name] !== undefined) {
        demand(`${name} must be the checkpoint's`, settings[name], options[name]);
      }
    }
    return { ...saved.run, settings: { ...settings, epochs } };
  } catch (error) {
    backend.free(tree);
    throw error;
  }
}

function demand(requirement: string, expected: unknown, current: unknown): void {
  if (current === expected) return;
  throw new TypeError(`Cannot ${action}: ${requirement}, ${show(expected)}, current one is ${show(current)}`);
}

/** A hash of the sequences and their order (FNV-1a). */
function fingerprint(sequences: readonly ArrayLike<number>[]): string {
  let hash = 0x811c9dc5;
  const add = (word: number) => hash = Math.imul(hash ^ word, 0x01000193);
  for (const sequence of sequences) {
    add(sequence.length);
    for (let t = 0; t < sequence.length; t++) add(sequence[t]);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}
