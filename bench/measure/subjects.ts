/**
 * The subjects of measurements: ways for a model to compute the logits of the next token from the tokens so far.
 *
 * A context of length L is L tokens, the last of which is the step that is timed:
 *
 * - recurrent: the state after L - 1 tokens is kept, and the step is one token (RWKV and LSTM);
 * - cached: the same with the key-value cache as the state, with a capacity of L tokens (Transformer);
 * - full: nothing is kept, and the step runs all L tokens again (Transformer without a cache).
 *
 * A step does not change the kept state, so that it can be repeated.
 *
 * @module
 */
import {
  type AnyLanguageModel,
  type Backend,
  compile,
  type Compiled,
  loadTree,
  lstmModel,
  motifTask,
  multiHeadAttentionState,
  parameterCount,
  type Prediction,
  presets,
  read,
  rwkv,
  sampleSequences,
  type Tensor,
  tensor,
  transformer,
  type TransformerParams,
  treeMap,
} from "@seqmix/seqmix";
import { engineOf } from "../../src/engine.ts";
import { randomSource } from "../../src/random.ts";

export type PresetName = keyof typeof presets;
export type ModelName = "rwkv" | "transformer" | "lstm";
export type Mode = "recurrent" | "cached" | "full";

/** A way of decoding. */
interface Way {
  readonly model: ModelName;
  readonly mode: Mode;
}

/** A way of decoding at one size, on one backend, with a context of `length` tokens. */
export interface Cell extends Way {
  readonly preset: PresetName;
  readonly backend: string;
  readonly length: number;
}

/** The four ways that are compared, in the order of the tables. */
export const ways: readonly Way[] = [
  { model: "rwkv", mode: "recurrent" },
  { model: "lstm", mode: "recurrent" },
  { model: "transformer", mode: "cached" },
  { model: "transformer", mode: "full" },
];

/** The models, in the order of the tables. */
export const modelNames: readonly ModelName[] = ["rwkv", "lstm", "transformer"];

export const presetNames = Object.keys(presets) as readonly PresetName[];

const labels: Readonly<Record<ModelName, string>> = {
  rwkv: "RWKV",
  lstm: "LSTM",
  transformer: "Transformer",
};

/** `RWKV`, `Transformer, full` */
export function labelOf({ model, mode }: { readonly model: ModelName; readonly mode?: Mode }): string {
  return mode === undefined || mode === "recurrent" ? labels[model] : `${labels[model]}, ${mode}`;
}

/** A model with parameters on a backend. */
export interface Subject {
  readonly model: AnyLanguageModel;
  readonly params: unknown;
  readonly backend: Backend;
}

/**
 * A model of a preset, with noise added to its initial parameters. Initial parameters would suffice for timing a
 * step, but not for checking it: RWKV starts with matrices of zeros, and a Transformer almost as the identity.
 */
export async function makeSubject(
  preset: PresetName,
  name: ModelName,
  backend: Backend,
): Promise<Subject> {
  const model = models[name];
  const initial = model.init(presets[preset][name], 1);
  const leaves: Promise<Float32Array>[] = [];
  treeMap(initial, (t) => (leaves.push(read(t)), t));
  const values = (await Promise.all(leaves)).values();
  const random = randomSource(2);
  const params = treeMap(initial, (t) => {
    const scale = t.shape.length === 2 ? 0.5 / Math.sqrt(t.shape[1]) : 0.1;
    return tensor(values.next().value!.map((x) => x + scale * random.normal()), t.shape, backend);
  });
  return { model, params, backend };
}

/** Loads a model with parameters written by `saveTree`. */
export function loadSubject(name: ModelName, file: Uint8Array, backend: Backend): Subject {
  return { model: models[name], params: loadTree(file, backend).tree, backend };
}

/** The number of parameters of a preset's model. */
export function parametersOf(preset: PresetName, name: ModelName): number {
  return parameterCount(models[name].init(presets[preset][name], 1));
}

const models = { rwkv, lstm: lstmModel, transformer } as Readonly<Record<ModelName, AnyLanguageModel>>;

/** A sequence of the synthetic task; a shorter one is the beginning of a longer one. */
export function taskSequence(length: number): readonly number[] {
  // Sequences have at least two tokens.
  const [tokens] = sampleSequences(motifTask({}, 1), { count: 1, length: Math.max(2, length), seed: 2 });
  return Array.from(tokens.subarray(0, length));
}

/** The number of tokens of a context that are read at a time. Small, to keep the memory for reading it low. */
const chunk = 32;

/**
 * Waits until a tensor's numbers are in host memory, and frees it; returns a promise only if the read is
 * asynchronous.
 */
export function settle(t: Tensor): void | Promise<void> {
  const downloaded = engineOf(t.backend).download(t);
  t.backend.free(t);
  if (downloaded instanceof Promise) return downloaded.then(() => {});
}

/** A step of decoding, with the state before it. */
export class Step {
  readonly #subject: Subject;
  readonly #tokens: readonly number[][];
  /** The state between steps; undefined if nothing is kept. */
  readonly #kept: unknown;
  readonly #length: number;
  /** Compiled, as in `generate`. */
  readonly #forward: Compiled<
    [params: unknown, tokens: readonly number[][], state: unknown],
    Prediction<unknown>
  >;

  constructor(subject: Subject, mode: Mode, context: readonly number[]) {
    this.#subject = subject;
    this.#forward = compile((params, tokens, state) => subject.model.forward(params, tokens, state));
    this.#length = context.length;
    this.#tokens = [mode === "full" ? [...context] : context.slice(-1)];
    this.#kept = mode === "full" ? undefined : this.#read(context.slice(0, -1));
  }

  /** The logits `[1, T, V]`, which the caller must free; everything else that the step makes is freed. */
  logits(): Tensor {
    const { params, backend } = this.#subject;
    return backend.scope(() => {
      const state = this.#kept ?? startOf(this.#subject, this.#length);
      return this.#forward(params, this.#tokens, state).logits;
    });
  }

  /**
   * Runs the step `times` times, until the last logits are in host memory; returns a promise only if the read is
   * asynchronous.
   */
  run(times = 1): void | Promise<void> {
    const { backend } = this.#subject;
    for (let i = 1; i < times; i++) backend.free(this.logits());
    return settle(this.logits());
  }

  /** The logits of the next token, `[V]`. */
  async nextLogits(): Promise<Float32Array> {
    const logits = this.logits();
    const values = await read(logits);
    this.#subject.backend.free(logits);
    return values.slice(-logits.shape[2]);
  }

  /**
   * Runs a step with a kept state twice, each time from that state, and keeps the results of both in memory until
   * the second is done.
   *
   * @returns both logits, which the caller must free
   */
  fork(): readonly [Tensor, Tensor] {
    const { params, backend } = this.#subject;
    return backend.scope(() => {
      const first = this.#forward(params, this.#tokens, this.#kept);
      const second = this.#forward(params, this.#tokens, this.#kept);
      return [first.logits, second.logits];
    });
  }

  /** Frees the kept state and the compiled function. */
  [Symbol.dispose](): void {
    this.#forward[Symbol.dispose]();
    this.#subject.backend.free(this.#kept);
  }

  #read(tokens: readonly number[]): unknown {
    const { model, params, backend } = this.#subject;
    let state = startOf(this.#subject, this.#length);
    for (let from = 0; from < tokens.length; from += chunk) {
      const before = state;
      const part = tokens.slice(from, from + chunk);
      state = backend.scope(() => model.forward(params, [part], before).state);
      backend.free(before);
    }
    return state;
  }
}

/** The state before the first token. A cache has a capacity for the whole context, so that no step has to grow it. */
function startOf({ model, params }: Subject, length: number): unknown {
  if (model.name !== "transformer") return model.initialState(params);
  const { blocks } = params as TransformerParams;
  return { blocks: blocks.map((block) => multiHeadAttentionState(block.attention, 1, length)) };
}

/**
 * The largest difference between two computations of the same logits, relative to the largest logit: float32
 * rounding.
 */
const tolerance = 1e-4;

/**
 * Checks that two computations of the same logits agree, before either is timed.
 *
 * @throws {Error} if they differ, or a logit is not finite
 */
export function checkLogits(name: string, logits: Float32Array, expected: Float32Array): void {
  const scale = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const errors = logits.map((x, i) => Math.abs(x - expected[i]));
  if (!(logits.length === expected.length && scale > 0 && errors.every((e) => e <= tolerance * scale))) {
    throw new Error(
      `Cannot measure ${name}: logits must be finite and those of the whole context within ${tolerance} of their ` +
        `scale ${scale}, current largest difference is ${Math.max(...errors)}`,
    );
  }
}

/**
 * Creates steps of a model, and checks that their logits equal those of a single pass over the whole context.
 *
 * @returns one step for each mode
 */
export async function checkedSteps(
  name: string,
  subject: Subject,
  modes: readonly Mode[],
  context: readonly number[],
): Promise<Step[]> {
  const whole = new Step(subject, "full", context);
  const expected = await whole.nextLogits();
  const steps = modes.map((mode) => mode === "full" ? whole : new Step(subject, mode, context));
  for (const [i, step] of steps.entries()) {
    checkLogits(`${name}, ${modes[i]}`, step === whole ? expected : await step.nextLogits(), expected);
  }
  return steps;
}
