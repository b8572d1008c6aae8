/**
 * Converts RWKV-4 checkpoints from and to their official names.
 *
 * @module
 */
import { engineOf } from "../engine.ts";
import { checkShape, show } from "../check.ts";
import type { RwkvParams } from "../models/rwkv.ts";
import { mistaken } from "../mistaken.ts";
import type { Tensor } from "../tensor.ts";
import { backendOf } from "../tree.ts";
import { hostValues } from "./host.ts";
import { flatten, nest } from "./names.ts";

/**
 * The official name of a tensor, the name here, and its official shape; the shape here is the same without sizes of
 * 1.
 */
type Row = readonly [official: string, own: string, ...shape: (number | "V" | "C" | "F")[]];

const before: readonly Row[] = [
  ["emb.weight", "embedding", "V", "C"],
  ["blocks.0.ln0.weight", "ln0.weight", "C"],
  ["blocks.0.ln0.bias", "ln0.bias", "C"],
];

const inBlock: readonly Row[] = [
  ["ln1.weight", "ln1.weight", "C"],
  ["ln1.bias", "ln1.bias", "C"],
  ["att.time_mix_k", "timeMix.mixK", 1, 1, "C"],
  ["att.time_mix_v", "timeMix.mixV", 1, 1, "C"],
  ["att.time_mix_r", "timeMix.mixR", 1, 1, "C"],
  ["att.time_decay", "timeMix.decay", "C"],
  ["att.time_first", "timeMix.bonus", "C"],
  ["att.key.weight", "timeMix.key", "C", "C"],
  ["att.value.weight", "timeMix.value", "C", "C"],
  ["att.receptance.weight", "timeMix.receptance", "C", "C"],
  ["att.output.weight", "timeMix.output", "C", "C"],
  ["ln2.weight", "ln2.weight", "C"],
  ["ln2.bias", "ln2.bias", "C"],
  ["ffn.time_mix_k", "channelMix.mixK", 1, 1, "C"],
  ["ffn.time_mix_r", "channelMix.mixR", 1, 1, "C"],
  ["ffn.key.weight", "channelMix.key", "F", "C"],
  ["ffn.receptance.weight", "channelMix.receptance", "C", "C"],
  ["ffn.value.weight", "channelMix.value", "C", "F"],
];

const after: readonly Row[] = [
  ["ln_out.weight", "lnOut.weight", "C"],
  ["ln_out.bias", "lnOut.bias", "C"],
  ["head.weight", "head", "V", "C"],
];

/**
 * The parameters of {@linkcode rwkv} from a tree with the official names of an RWKV-4 checkpoint (BlinkDL/RWKV-LM,
 * `RWKV-v4neo/src/model.py`).
 *
 * @param tree nested, as {@linkcode loadTree} returns it for a file from elsewhere, or flat (`"emb.weight"`)
 * @returns the parameters: the tree's own tensors, except the `time_mix_*`, which lose their two leading axes and are
 *   copies on the same backend
 * @throws {TypeError} if a name is missing or unknown; on other shapes; or if the tensors live on a device that can
 *   only be read asynchronously (WebGPU): load on the reference, then `put`
 *
 * @example
 * ```ts
 * import { fromOfficialRwkv, loadTree, presets, rwkv, saveTree, toOfficialRwkv } from "@seqmix/seqmix";
 *
 * const bytes = saveTree(toOfficialRwkv(rwkv.init(presets.matched.rwkv, 1)));
 * const params = fromOfficialRwkv(loadTree(bytes).tree);
 * console.log(rwkv.forward(params, [[1, 2]], rwkv.initialState(params)).logits.shape); // [ 1, 2, 64 ]
 * ```
 */
export function fromOfficialRwkv(tree: unknown): RwkvParams {
  const renamed = rename("read official RWKV", tree, ([official, own, ...shape]) => {
    return { from: official, to: own, shape, newShape: withoutOnes(shape) };
  });
  return nest(renamed, (t) => t) as RwkvParams;
}

/**
 * Renames the parameters of {@linkcode rwkv} to the official names of an RWKV-4 checkpoint (BlinkDL/RWKV-LM,
 * `RWKV-v4neo/src/model.py`), as in PyTorch's `state_dict`: the inverse of {@linkcode fromOfficialRwkv}.
 *
 * @param params the parameters
 * @returns the same tensors by name, except the `time_mix_*`, which are copies of shape `[1, 1, C]`. A tensor in
 *   several places is copied for all but the first, since the official code looks up every name. {@linkcode saveTree}
 *   writes this as a file that the official code can read
 * @throws {TypeError} if a tensor is missing or unknown; on other shapes; or if the tensors live on a device that can
 *   only be read asynchronously (WebGPU)
 *
 * @example
 * ```ts
 * import { presets, rwkv, toOfficialRwkv } from "@seqmix/seqmix";
 *
 * const official = toOfficialRwkv(rwkv.init(presets.matched.rwkv, 1));
 * console.log(official["blocks.3.att.time_mix_k"].shape); // [ 1, 1, 32 ]
 * ```
 */
export function toOfficialRwkv(params: RwkvParams): Readonly<Record<string, Tensor>> {
  const action = "write official RWKV";
  const renamed = rename(action, params, ([official, own, ...shape]) => {
    return { from: own, to: official, shape: withoutOnes(shape), newShape: shape };
  });
  const given = new Set<Tensor>();
  return Object.fromEntries(Array.from(renamed, ([name, t]) => {
    const own = given.has(t) ? reshape(action, t, t.shape) : t;
    given.add(own);
    return [name, own];
  }));
}

/** Names that versions 5 to 7 have, and 4 does not. */
const later = /\.att\.(ln_x|time_faaaa|time_maa|x_|[wavrkg][012]|[rk]_k|[ka]_a)/;

/** The renaming of one tensor. */
interface Move {
  readonly from: string;
  readonly to: string;
  readonly shape: readonly (number | string)[];
  readonly newShape: readonly (number | string)[];
}

function rename(action: string, tree: unknown, direction: (row: Row) => Move): ReadonlyMap<string, Tensor> {
  backendOf(action, "tree", tree);
  if ("tree" in (tree as object)) {
    throw new TypeError(`Cannot ${action}: tree must hold RWKV-4's tensors alone${mistaken("tree", tree)}`);
  }
  const named = flatten(tree);
  const moves = rows(layersOf(named)).map(direction);
  const expected = new Set(moves.map(({ from }) => from));
  for (const name of named.keys()) {
    if (!expected.has(name)) {
      throw new TypeError(
        `Cannot ${action}: tree must hold RWKV-4's tensors alone${
          later.test(name) ? " (these are of a later version)" : ""
        }, current tree has ${show(name)} too`,
      );
    }
  }
  const sizes = new Map<string | number, number>();
  const known = (shape: Move["shape"]) => shape.map((size) => sizes.get(size) ?? size);
  for (const { from, shape } of moves) {
    const t = named.get(from) as Tensor;
    const [a, b, c] = known(shape);
    checkShape(action, from, t, a, b, c);
    shape.forEach((size, axis) => sizes.set(size, t.shape[axis]));
  }
  const reshaped = new Map<Tensor, Tensor>();
  return new Map(moves.map(({ from, to, shape, newShape }) => {
    const t = named.get(from) as Tensor;
    if (shape.length === newShape.length) return [to, t];
    const copy = reshaped.get(t) ?? reshape(action, t, known(newShape) as number[]);
    reshaped.set(t, copy);
    return [to, copy];
  }));
}

function rows(layers: number): readonly Row[] {
  const blocks = Array.from(
    { length: layers },
    (_, i) =>
      inBlock.map((
        [official, own, ...shape],
      ): Row => [`blocks.${i}.${official}`, `blocks.${i}.${own}`, ...shape]),
  );
  return [...before, ...blocks.flat(), ...after];
}

/** The number of distinct block indices; if one is skipped, the missing names are reported later. */
function layersOf(named: ReadonlyMap<string, unknown>): number {
  const numbers = new Set<string>();
  for (const name of named.keys()) {
    const block = /^blocks\.(\d+)\./.exec(name);
    if (block !== null) numbers.add(block[1]);
  }
  return numbers.size;
}

function withoutOnes(shape: readonly (number | string)[]): readonly (number | string)[] {
  return shape.filter((size) => size !== 1);
}

/**
 * Through host memory, where the file's bytes just were: no operation only changes a shape, and a backend method for
 * these few vectors would have to be implemented for every device.
 */
function reshape(action: string, t: Tensor, shape: readonly number[]): Tensor {
  return engineOf(t.backend).upload(hostValues(action, t), shape);
}
