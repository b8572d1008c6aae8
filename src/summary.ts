/**
 * Parameters as a table of text.
 *
 * @module
 */
import { showShape } from "./check.ts";
import { engineOf } from "./engine.ts";
import type { Tensor } from "./tensor.ts";
import { backendOf, pathsOf, sizeOf, tensorsByPlace } from "./tree.ts";

/**
 * Parameters, a state or any other tree as a table of text: for each tensor its name (the path to it), shape, number of
 * elements and bytes, and the totals. A tensor that occurs several times counts once; its other
 * rows show its first name instead of a shape.
 *
 * Bytes are those of the numbers: 4 each, on a float64 reference 8. `backend.memory()` reports those that a backend
 * uses.
 *
 * @param params nested plain objects and arrays
 * @returns lines of text, without a line break at the end
 * @throws {TypeError} if params hold no tensor
 *
 * @example
 * ```ts
 * import { linearInit, summary } from "@seqmix/seqmix";
 *
 * const { weight, bias } = linearInit({ inputs: 32, outputs: 64, bias: true }, 1);
 * console.log(summary({ embedding: weight, bias, head: weight }));
 * // name       shape        numbers  bytes
 * // embedding  [64, 32]        2048   8192
 * // bias       [64]              64    256
 * // head       = embedding
 * // 2 tensors  reference       2112   8448
 * ```
 */
export function summary(params: unknown): string {
  backendOf("summarize", "params", params);
  const paths = pathsOf(params), tensors = tensorsByPlace(params);
  const first = new Map<Tensor, string>();
  let numbers = 0, bytes = 0;
  const rows = tensors.map((t, i) => {
    const known = first.get(t);
    if (known !== undefined) return [paths[i], `= ${known}`, "", ""];
    first.set(t, paths[i]);
    const size = sizeOf(t.shape), width = isDouble(t) ? 8 : 4;
    numbers += size;
    bytes += width * size;
    return [paths[i], showShape(t.shape), String(size), String(width * size)];
  });
  const backends = [...new Set(tensors.map(({ backend }) => backend.name))].join(", ");
  const count = first.size === 1 ? "1 tensor" : `${first.size} tensors`;
  return table([
    ["name", "shape", "numbers", "bytes"],
    ...rows,
    [count, backends, String(numbers), String(bytes)],
  ]);
}

function isDouble({ backend }: Tensor): boolean {
  const { options } = engineOf(backend);
  return (options as { precision?: string } | undefined)?.precision === "float64";
}

/** Columns of text: the first two flush left, the others right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, i) => i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ").trimEnd()
  ).join("\n");
}
