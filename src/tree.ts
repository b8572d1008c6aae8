/**
 * Trees: nested plain objects and arrays with tensors in them. Parameters, states, gradients and checkpoints are all
 * trees, so the same functions walk all of them. Other values in a tree are kept unchanged.
 *
 * @module
 */
import { isBranch, isTensor, showShape } from "./check.ts";
import { mistaken, refusePromise } from "./mistaken.ts";
import type { Backend, Tensor } from "./tensor.ts";

/** Calls `visit` once for every tensor of a tree, depth first, in the order of the keys. */
export function forEachTensor(tree: unknown, visit: (tensor: Tensor) => void): void {
  tensorsOf(tree).forEach((tensor) => visit(tensor));
}

/**
 * A tree of the same form with `f` of every tensor in its place.
 *
 * @param tree nested plain objects and arrays
 * @param f called once for each tensor, depth first, in the order of the keys, with the tensor and its path
 *   (`"blocks.0.timeMix.decay"`); for a tensor in several places, the first path
 * @returns a new tree; values other than tensors (such as a number of heads) are unchanged, and a tensor in several
 *   places is again one tensor
 * @throws {TypeError} if tree is a promise
 *
 * @example Three times every parameter
 * ```ts
 * import { add, read, tensor, treeMap } from "@seqmix/seqmix";
 *
 * const tree = { heads: 2, layers: [tensor([1, 2], [2])] };
 * const tripled = treeMap(tree, (t) => add(t, add(t, t)));
 * console.log(tripled.heads, await read(tripled.layers[0])); // 2 Float32Array(2) [ 3, 6 ]
 * ```
 */
export function treeMap<P>(tree: P, f: (tensor: Tensor, path: string) => Tensor): P {
  refusePromise("map tree", "tree", tree);
  return mapTree(tree, f, "", new Map()) as P;
}

/** The same without paths, which would cost more than the rest. */
export function mapTensors<P>(tree: P, f: (tensor: Tensor) => Tensor): P {
  return mapTree(tree, f, null, new Map()) as P;
}

function mapTree(
  tree: unknown,
  f: (tensor: Tensor, path: string) => Tensor,
  path: string | null,
  known: Map<Tensor, Tensor>,
): unknown {
  if (isTensor(tree)) {
    let result = known.get(tree);
    if (result === undefined) known.set(tree, result = f(tree, path ?? ""));
    return result;
  }
  if (Array.isArray(tree)) return tree.map((branch, i) => mapTree(branch, f, pathTo(path, i), known));
  if (!isBranch(tree)) return tree;
  const mapped: Record<string, unknown> = {};
  for (const key in tree) {
    const value = mapTree(tree[key], f, pathTo(path, key), known);
    if (key !== "__proto__") mapped[key] = value;
    // Defined as an own property, so that names such as `__proto__` have no special meaning.
    else Object.defineProperty(mapped, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return mapped;
}

function pathTo(path: string | null, key: string | number): string | null {
  return path === null ? null : path === "" ? String(key) : `${path}.${key}`;
}

/** All tensors of a tree, each once, depth first, in the order of the keys. */
export function tensorsOf(tree: unknown): Tensor[] {
  return [...new Set(tensorsByPlace(tree))];
}

/** The tensor at every place of a tree, depth first, in the order of the keys. */
export function tensorsByPlace(tree: unknown): Tensor[] {
  const tensors: Tensor[] = [];
  collect(tree, tensors);
  return tensors;
}

function collect(tree: unknown, tensors: Tensor[]): void {
  if (isTensor(tree)) tensors.push(tree);
  else if (Array.isArray(tree)) { for (let i = 0; i < tree.length; i++) collect(tree[i], tensors); }
  else if (isBranch(tree)) { for (const key in tree) collect(tree[key], tensors); }
}

/** The path to every place of a tree with a tensor, in the order of {@linkcode tensorsByPlace}. */
export function pathsOf(tree: unknown, path = ""): string[] {
  if (isTensor(tree)) return [path];
  if (!isBranch(tree)) return [];
  return Object.keys(tree).flatMap((key) => pathsOf(tree[key], path === "" ? key : `${path}.${key}`));
}

/** A tree of the same form as another, with the tensors of a list in the order of {@linkcode tensorsOf}. */
export function withTensors<P>(tree: P, tensors: readonly Tensor[]): P {
  let next = 0;
  return mapTensors(tree, () => tensors[next++]);
}

/** The backend of the first tensor of a tree. */
export function backendOf(action: string, name: string, tree: unknown): Backend {
  const [first] = tensorsByPlace(tree);
  if (first === undefined) {
    throw new TypeError(`Cannot ${action}: ${name} must hold tensors${mistaken(name, tree)}`);
  }
  return first.backend;
}

/**
 * The number of elements of a tree's tensors. A tensor in several places counts once.
 *
 * @param params nested plain objects and arrays
 * @returns the sum of the tensors' sizes
 * @throws {TypeError} if params is a promise
 *
 * @example
 * ```ts
 * import { parameterCount, presets, rwkv } from "@seqmix/seqmix";
 *
 * console.log(parameterCount(rwkv.init(presets.article.rwkv, 1))); // 874496
 * ```
 */
export function parameterCount(params: unknown): number {
  refusePromise("count parameters", "params", params);
  let count = 0;
  forEachTensor(params, (tensor) => count += sizeOf(tensor.shape));
  return count;
}

/**
 * The number of elements of a shape.
 *
 * @throws {RangeError} if it is 2⁵³ or more, where integers are no longer exact
 */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (let i = 0; i < shape.length; i++) size *= shape[i];
  // Also refuses NaN, the product of infinity and 0.
  if (!(size <= Number.MAX_SAFE_INTEGER)) throw tooLarge(shape);
  return size;
}

function tooLarge(shape: readonly number[]): RangeError {
  return new RangeError(
    `Cannot allocate tensor: shape must hold at most ${Number.MAX_SAFE_INTEGER} numbers, current shape is ${
      showShape(shape)
    }`,
  );
}

/** The size of an axis along which two tensors are joined. Empty tensors may have sizes whose sum is not exact. */
export function sumOf(a: number, b: number): number {
  const sum = a + b;
  if (sum <= Number.MAX_SAFE_INTEGER) return sum;
  throw new RangeError(
    `Cannot allocate tensor: an axis must be at most ${Number.MAX_SAFE_INTEGER}, current sizes are ${a} and ${b}`,
  );
}
