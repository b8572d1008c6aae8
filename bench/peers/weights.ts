/**
 * What is measured: a model of a preset, with weights that every implementation gets the same.
 *
 * @module
 */
import {
  lstmModel,
  type LstmModelParams,
  presets,
  read,
  rwkv,
  type RwkvParams,
  type Tensor,
  tensor,
  transformer,
  type TransformerParams,
} from "../../mod.ts";
import { isBranch, isTensor } from "../../src/check.ts";
import { randomSource } from "../../src/random.ts";

/** Numbers in host memory, row-major. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** A tree with host tensors where `P` has tensors. */
export type Host<P> = P extends Tensor ? HostTensor
  : P extends object ? { readonly [K in keyof P]: Host<P[K]> }
  : P;

export type RwkvWeights = Host<RwkvParams>;
export type TransformerWeights = Host<TransformerParams>;
export type LstmWeights = Host<LstmModelParams>;

/** What is measured, in words. */
export interface Subject {
  readonly preset: keyof typeof presets;
  readonly mode: "recurrent" | "cached";
  /** The tokens that the model has seen with the one that is timed: what fills the cache. */
  readonly length: number;
}

/** What is measured, with the weights in host memory. */
export type Case =
  & Subject
  & (
    | { readonly model: "rwkv"; readonly weights: RwkvWeights }
    | { readonly model: "transformer"; readonly weights: TransformerWeights }
    | { readonly model: "lstm"; readonly weights: LstmWeights }
  );

/** The three models of a preset. A recurrent one is as fast after any number of tokens: its length is 1. */
export async function casesOf(preset: Subject["preset"], cacheLength: number): Promise<Case[]> {
  const { rwkv: r, transformer: t, lstm: l } = presets[preset];
  return [
    { preset, model: "rwkv", mode: "recurrent", length: 1, weights: await perturbed(rwkv.init(r, 1)) },
    {
      preset,
      model: "transformer",
      mode: "cached",
      length: cacheLength,
      weights: await perturbed(transformer.init(t, 2)),
    },
    { preset, model: "lstm", mode: "recurrent", length: 1, weights: await perturbed(lstmModel.init(l, 3)) },
  ];
}

/**
 * The initial parameters with noise on them, so that equal outputs mean something: RWKV starts with matrices
 * of zeros and a Transformer as almost the identity.
 */
async function perturbed<P>(params: P): Promise<Host<P>> {
  const random = randomSource(4);
  return await mapLeaves(params, isTensor, async (t) => {
    const data = new Float32Array(await read(t));
    const scale = t.shape.length === 2 ? 1 / Math.sqrt(t.shape[1]) : 0.1;
    return { shape: t.shape, data: data.map((x) => x + scale * random.normal()) };
  }) as Host<P>;
}

/** The weights as parameters of the library, on its reference. */
export async function paramsOf({ weights }: Case): Promise<unknown> {
  return await mapLeaves(weights, isHostTensor, ({ data, shape }) => tensor(data, shape));
}

/** The host tensors of a tree, each with the names that lead to it. */
export function leavesOf(tree: unknown, path = ""): [path: string, leaf: HostTensor][] {
  if (isHostTensor(tree)) return [[path, tree]];
  if (!Array.isArray(tree) && !isBranch(tree)) return [];
  return Object.entries(tree).flatMap(([key, branch]) => leavesOf(branch, path ? `${path}.${key}` : key));
}

function isHostTensor(value: unknown): value is HostTensor {
  return isBranch(value) && value.data instanceof Float32Array;
}

// One leaf after another, in the order of the keys, so that the noise is the same in every run.
async function mapLeaves<T>(
  tree: unknown,
  is: (x: unknown) => x is T,
  f: (leaf: T) => unknown,
): Promise<unknown> {
  if (is(tree)) return await f(tree);
  if (Array.isArray(tree)) {
    const mapped = [];
    for (const branch of tree) mapped.push(await mapLeaves(branch, is, f));
    return mapped;
  }
  if (!isBranch(tree)) return tree;
  const mapped: Record<string, unknown> = {};
  for (const [key, branch] of Object.entries(tree)) mapped[key] = await mapLeaves(branch, is, f);
  return mapped;
}
