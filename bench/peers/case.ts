/**
 * The cases of the comparison: a model of a preset, with the same weights for every implementation.
 *
 * @module
 */
import {
  type LstmModelParams,
  read,
  reference,
  type RwkvParams,
  type Tensor,
  tensor,
  type TransformerParams,
} from "@seqmix/seqmix";
import { isBranch, isTensor } from "../../src/check.ts";
import { makeSubject, type PresetName } from "../measure/subjects.ts";

/** Numbers in host memory, row-major. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** A tree like `P` with host tensors instead of tensors. */
type Host<P> = P extends Tensor ? HostTensor
  : P extends object ? { readonly [K in keyof P]: Host<P[K]> }
  : P;

export type RwkvWeights = Host<RwkvParams>;
export type TransformerWeights = Host<TransformerParams>;
export type LstmWeights = Host<LstmModelParams>;

/** A model to compare, with its weights in host memory. */
export type Case =
  & {
    readonly preset: PresetName;
    /** The number of tokens including the one that is timed, and so the length of a cache. */
    readonly length: number;
  }
  & (
    | { readonly model: "rwkv"; readonly mode: "recurrent"; readonly weights: RwkvWeights }
    | { readonly model: "transformer"; readonly mode: "cached"; readonly weights: TransformerWeights }
    | { readonly model: "lstm"; readonly mode: "recurrent"; readonly weights: LstmWeights }
  );

/** The three models of a preset, each after `length` tokens. */
export async function casesOf(preset: PresetName, length: number): Promise<Case[]> {
  return [
    {
      preset,
      length,
      model: "rwkv",
      mode: "recurrent",
      weights: await weightsOf<RwkvParams>(preset, "rwkv"),
    },
    {
      preset,
      length,
      model: "transformer",
      mode: "cached",
      weights: await weightsOf<TransformerParams>(preset, "transformer"),
    },
    {
      preset,
      length,
      model: "lstm",
      mode: "recurrent",
      weights: await weightsOf<LstmModelParams>(preset, "lstm"),
    },
  ];
}

async function weightsOf<P>(preset: PresetName, model: Case["model"]): Promise<Host<P>> {
  const { params } = await makeSubject(preset, model, reference);
  return await inHostMemory(params) as Host<P>;
}

/** The tensors of a tree as host tensors. */
export function inHostMemory(params: unknown): Promise<unknown> {
  return mapLeaves(
    params,
    isTensor,
    async (t) => ({ shape: t.shape, data: new Float32Array(await read(t)) }),
  );
}

/** The weights as parameters of the library, on the reference backend. */
export async function paramsOf({ weights }: Case): Promise<unknown> {
  return await mapLeaves(weights, isHostTensor, ({ data, shape }) => Promise.resolve(tensor(data, shape)));
}

/** The host tensors of a tree, with the names on their paths. */
export function leavesOf(tree: unknown, path: readonly string[] = []): [path: string, leaf: HostTensor][] {
  if (isHostTensor(tree)) return [[path.join("."), tree]];
  if (!isBranch(tree)) return [];
  return Object.entries(tree).flatMap(([key, branch]) => leavesOf(branch, [...path, key]));
}

function isHostTensor(value: unknown): value is HostTensor {
  return isBranch(value) && value.data instanceof Float32Array;
}

async function mapLeaves<T>(
  tree: unknown,
  isLeaf: (value: unknown) => value is T,
  f: (leaf: T) => Promise<unknown>,
): Promise<unknown> {
  if (isLeaf(tree)) return await f(tree);
  if (!isBranch(tree)) return tree;
  const entries = await Promise.all(
    Object.entries(tree).map(async ([key, branch]) => [key, await mapLeaves(branch, isLeaf, f)]),
  );
  return Array.isArray(tree) ? entries.map(([, branch]) => branch) : Object.fromEntries(entries);
}
