/**
 * The optimiser: Adam with decoupled weight decay.
 *
 * @module
 */
import {
  checkInteger,
  checkNumber,
  checkSameShape,
  isSameShape,
  isTensor,
  sharedBackend,
  show,
} from "../check.ts";
import { run } from "../compute.ts";
import { engineOf } from "../engine.ts";
import { checkNames, type Names } from "../names.ts";
import { adamWOp } from "../ops/adam_w/mod.ts";
import { add } from "../ops/elementwise/mod.ts";
import type { Tensor } from "../tensor.ts";
import { backendOf, mapTensors, pathsOf, tensorsByPlace, treeMap, withTensors } from "../tree.ts";
import { zeros } from "../transfer.ts";

/** One parameter, as a {@linkcode PerLeaf} function sees it. */
export interface Leaf {
  /**
   * The path in the tree of parameters, `"blocks.0.timeMix.decay"`; for a tensor in several places, the first path.
   */
  readonly path: string;
  /** The shape of the parameter. */
  readonly shape: readonly number[];
}

/** A number for all parameters, or a function that gives one for each. */
export type PerLeaf = number | ((leaf: Leaf) => number);

/** The hyperparameters of {@linkcode adamW}. */
export interface AdamWHyper {
  /** η, at least 0; or a tensor `[]` on the parameters' backend, whose value is not checked. */
  readonly learningRate: PerLeaf | Tensor;
  /** A factor of a parameter's learning rate, at least 0; default 1. */
  readonly rateFactor?: PerLeaf | undefined;
  /** β₁, from 0 to below 1; default 0.9. */
  readonly beta1?: PerLeaf | undefined;
  /** β₂, from 0 to below 1; default 0.95. */
  readonly beta2?: PerLeaf | undefined;
  /** ε, above 0; default 1e-8. */
  readonly epsilon?: PerLeaf | undefined;
  /** λ, at least 0; default 0.01. */
  readonly weightDecay?: PerLeaf | undefined;
}

/** The state that {@linkcode adamW} keeps between steps: trees of the parameters' form. */
export interface OptimizerState<P = unknown, Step extends number | Tensor = number> {
  /**
   * The number of steps taken: a number, or a tensor `[]` on the parameters' backend. In single precision such a
   * tensor stops counting at 2²⁴, where the bias corrections of usual moments have long been 1.
   */
  readonly step: Step;
  /** The running mean m of the gradients. */
  readonly mean: P;
  /** The running mean v of their squares. */
  readonly variance: P;
}

/** An optimiser: a pure function from gradients, a state and parameters to the next state and parameters. */
export interface Optimizer<Hyper> {
  /**
   * The state before the first step: zeros, on the parameters' backend.
   *
   * @param params the parameters that will be updated
   * @throws {TypeError} if they hold no tensor
   * @throws {RangeError} if memory is exhausted
   */
  init<P>(params: P): OptimizerState<P>;
  /**
   * One step. The arguments are not changed; free what is no longer needed. A parameter in several places is updated
   * once and stays one tensor.
   *
   * @param grads of the parameters' form, one tensor where a parameter is in several places, as
   *   {@linkcode valueAndGrad} returns them
   * @param state from `init` or an earlier update; its `step` stays a number or a tensor
   * @param params the parameters
   * @param hyper the hyperparameters of this step
   * @returns the parameters and the state after the step
   * @throws {TypeError} if the trees differ in form or backend; if a parameter in several places has several
   *   gradients or moments; if the learning rate is missing; if it or the count of steps is neither a number nor a
   *   tensor `[]` on the parameters' backend; or if a hyperparameter is unknown or not a number
   * @throws {RangeError} if a hyperparameter is out of range, or if the mean of squared gradients overflows, which
   *   would stop a parameter for good. On a device that computes asynchronously (WebGPU) the next {@linkcode read}
   *   rejects with this error instead
   */
  update<P>(grads: P, state: OptimizerState<P>, params: P, hyper: Hyper): {
    params: P;
    state: OptimizerState<P>;
  };
  /** The same step, with the steps counted on the parameters' backend. */
  update<P>(grads: P, state: OptimizerState<P, Tensor>, params: P, hyper: Hyper): {
    params: P;
    state: OptimizerState<P, Tensor>;
  };
}

const action = "update parameters";

/** The names of {@linkcode AdamWHyper} except the learning rate, which `fit` takes from its schedule. */
export const hyperNames: Names<Omit<AdamWHyper, "learningRate">> = {
  rateFactor: 0,
  beta1: 0,
  beta2: 0,
  epsilon: 0,
  weightDecay: 0,
};
const allHyperNames: Names<AdamWHyper> = { learningRate: 0, ...hyperNames };

/**
 * Adam with decoupled weight decay (Kingma, Ba: "Adam", 2015; Loshchilov, Hutter: "Decoupled Weight Decay
 * Regularization", 2019; PyTorch's `AdamW`): in step t, for every parameter θ and its gradient g,
 *
 *     m = β₁m + (1 - β₁)g;  v = β₂v + (1 - β₂)g²
 *     θ = θ - η·(λθ + (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε))
 *
 * Every hyperparameter is a number, or a function from a parameter's path and shape to one. The values that change
 * from call to call, the learning rate and the count of steps, may also be tensors `[]`. A number gives the same
 * parameters, bit for bit, as a tensor that holds it: both are rounded to the precision of the backend.
 *
 * @example A training loop with constant memory: each step frees what it replaces
 * ```ts
 * import { adamW, createWasm, crossEntropy, presets, put, read, rwkv, valueAndGrad } from "@seqmix/seqmix";
 *
 * using backend = await createWasm();
 * let params = await put(rwkv.init(presets.matched.rwkv, 1), backend), state = adamW.init(params);
 * for (let step = 0; step < 3; step++) {
 *   const next = backend.scope(() => {
 *     const { value, grads } = valueAndGrad((params) => {
 *       const { logits } = rwkv.forward(params, [[1, 2, 3]], rwkv.initialState(params));
 *       return crossEntropy(logits, [[2, 3, 4]]);
 *     }, params);
 *     return { value, ...adamW.update(grads, state, params, { learningRate: 1e-3 }) };
 *   });
 *   backend.free([params, state]);
 *   ({ params, state } = next);
 *   const [loss] = await read(next.value); // timers fire and pages paint here
 *   backend.free(next.value);
 *   console.log(step, loss);
 * }
 * ```
 *
 * @example Weight decay on matrices only
 * ```ts
 * import { adamW, crossEntropy, lstmModel, presets, valueAndGrad } from "@seqmix/seqmix";
 *
 * const params = lstmModel.init(presets.matched.lstm, 1);
 * const { grads } = valueAndGrad((params) => {
 *   const { logits } = lstmModel.forward(params, [[1, 2, 3]], lstmModel.initialState(params));
 *   return crossEntropy(logits, [[2, 3, 4]]);
 * }, params);
 * const next = adamW.update(grads, adamW.init(params), params, {
 *   learningRate: 1e-3,
 *   weightDecay: ({ shape }) => shape.length > 1 ? 0.1 : 0,
 * });
 * console.log(next.params.head.shape, next.state.step); // [ 64, 38 ] 1
 * ```
 *
 * @example A learning rate and a count of steps on the parameters' backend
 * ```ts
 * import { adamW, read, tensor } from "@seqmix/seqmix";
 *
 * const params = [tensor([1, 2], [2])], grads = [tensor([3, -4], [2])];
 * const start = { ...adamW.init(params), step: tensor([0], []) };
 * const { state } = adamW.update(grads, start, params, { learningRate: tensor([1e-3], []) });
 * console.log(await read(state.step)); // Float32Array [ 1 ]
 * ```
 */
export const adamW: Optimizer<AdamWHyper> = {
  init(params) {
    const zero = (t: Tensor) => zeros(t.shape, t.backend);
    return backendOf(action, "params", params).scope(() => ({
      step: 0,
      mean: mapTensors(params, zero),
      variance: mapTensors(params, zero),
    }));
  },

  update<P, Step extends number | Tensor>(
    grads: P,
    state: OptimizerState<P, Step>,
    params: P,
    hyper: AdamWHyper,
  ): { params: P; state: OptimizerState<P, Step> } {
    checkNames(action, hyper, allHyperNames, "hyper");
    backendOf(action, "params", params);
    const places = placesOf(params);
    const means = sameForm("state.mean", state?.mean, places);
    const variances = sameForm("state.variance", state?.variance, places);
    const gradients = sameForm("grads", grads, places);
    const { learningRate, rateFactor = 1, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weightDecay = 0.01 } =
      hyper;
    if (!isTensor(learningRate) && typeof learningRate !== "function") {
      checkNumber(action, "learningRate", learningRate);
    }
    const [first] = places.expected;
    const taken: number | Tensor = state.step;
    if (!isTensor(taken)) checkInteger(action, "state.step", taken, 0);
    const backend = sharedBackend(
      action,
      "params, learningRate, state.step",
      first,
      scalarOr(first, "learningRate", learningRate),
      scalarOr(first, "state.step", taken),
    );
    const leaves: string[] = [];
    const nextMeans: Tensor[] = [], nextVariances: Tensor[] = [];
    return backend.scope(() => {
      const scalar = (number: number) => engineOf(backend).upload([number], []);
      const overflows = zeros([gradients.length], backend);
      const rate = isTensor(learningRate)
        ? learningRate
        : scalar(typeof learningRate === "function" ? 1 : learningRate);
      const step = isTensor(taken) ? add(taken, scalar(1)) : taken + 1;
      const count = isTensor(step) ? step : scalar(step);
      const next = treeMap(params, (param, path) => {
        const i = leaves.push(path) - 1;
        const leaf = { path, shape: param.shape };
        const ownRate = isTensor(learningRate)
          ? 1
          : valueFor("learningRate", learningRate, leaf, 0, Infinity);
        const factor = valueFor("rateFactor", rateFactor, leaf, 0, Infinity);
        const inputs = [overflows, param, gradients[i], means[i], variances[i], rate, count] as const;
        const [moved, mean, variance] = run(adamWOp, inputs, [
          i,
          typeof learningRate === "function" ? ownRate * factor : factor,
          valueFor("beta1", beta1, leaf, 0, 1),
          valueFor("beta2", beta2, leaf, 0, 1),
          valueFor("epsilon", epsilon, leaf, Number.MIN_VALUE, Infinity),
          valueFor("weightDecay", weightDecay, leaf, 0, Infinity),
        ]);
        nextMeans.push(mean);
        nextVariances.push(variance);
        return moved;
      });
      engineOf(backend).expectZeros(overflows, (i) =>
        new RangeError(
          `Cannot ${action}: squared gradients must be finite, current gradient of ${
            nameOf(leaves[i])
          } overflows`,
        ));
      return {
        params: next,
        state: {
          step: step as Step,
          mean: withTensors(params, nextMeans),
          variance: withTensors(params, nextVariances),
        },
      };
    });
  },
};

/** A tensor, which must be a single number; for any other value, the other tensor. */
function scalarOr(other: Tensor, name: string, of: unknown): Tensor {
  if (!isTensor(of)) return other;
  checkSameShape(action, name, of, []);
  return of;
}

function valueFor(name: string, of: PerLeaf, leaf: Leaf, least: number, below: number): number {
  const value = typeof of === "function" ? of(leaf) : of;
  checkNumber(action, name, value);
  if (!(value >= least && value < below)) {
    const range = below === Infinity
      ? least > 0 ? "above 0 and finite" : "at least 0 and finite"
      : `from ${least} to below ${below}`;
    throw new RangeError(
      `Cannot ${action}: ${name} must be ${range}, current ${name} of ${nameOf(leaf.path)} is ${value}`,
    );
  }
  return value;
}

function nameOf(path: string): string {
  return path || "the parameter";
}

/** The places of the parameters in their tree. */
interface Places {
  readonly params: unknown;
  /** The parameter in each place, depth first. */
  readonly expected: readonly Tensor[];
  /** The first place of each parameter. */
  readonly first: ReadonlyMap<Tensor, number>;
}

function placesOf(params: unknown): Places {
  const expected = tensorsByPlace(params), first = new Map<Tensor, number>();
  for (let i = expected.length - 1; i >= 0; i--) first.set(expected[i], i);
  return { params, expected, first };
}

/** The tensor of each parameter in a tree that must have the form of the parameters. */
function sameForm(name: string, tree: unknown, { params, expected, first }: Places): Tensor[] {
  const tensors = tensorsByPlace(tree);
  const differs = expected.findIndex((param, i) => {
    const t = tensors[i];
    return !isTensor(t) || t.backend !== param.backend || !isSameShape(t.shape, param.shape);
  });
  if (differs >= 0 || tensors.length !== expected.length) {
    const at = differs < 0 ? expected.length : differs;
    const shown = (t: Tensor | undefined) => t === undefined ? "none" : `${show(t)} on ${t.backend.name}`;
    throw new TypeError(
      `Cannot ${action}: ${name} must have the form of params, current tensor ${at} is ${
        shown(tensors[at])
      } and that of params ${shown(expected[at])}`,
    );
  }
  if (first.size === expected.length) return tensors;
  expected.forEach((param, i) => {
    const at = first.get(param)!;
    if (tensors[i] === tensors[at]) return;
    const paths = pathsOf(params);
    throw new TypeError(
      `Cannot ${action}: ${name} must have one tensor where params have one, current ${name} has two at ` +
        `${paths[at]} and ${paths[i]}`,
    );
  });
  return tensors.filter((_, i) => first.get(expected[i]) === i);
}
