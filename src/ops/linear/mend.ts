/**
 * Recomputes the elements of a matrix product that are not finite, on a GPU: partial sums may overflow where the
 * sum does not.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, each, nan, runEach } from "../../backends/webgpu/wgsl.ts";
import { wideNumbers, wideSumOf } from "../../backends/webgpu/wide.ts";

/** A factor of a product: the terms of a row are adjacent, or the rows of a term. */
export interface Factor {
  readonly name: string;
  readonly by: "rows" | "terms";
}

/** WGSL expressions that locate a term: the row of a, the row of b, and the numbers of terms and rows. */
interface Places {
  readonly row: string;
  readonly column: string;
  readonly terms: string;
  readonly rows: string;
  readonly columns: string;
}

/** The term i of an element of a·bᵀ, as a wide number. */
export function wideTerm(
  a: Factor,
  b: Factor,
  { row, column, terms, rows, columns }: Places,
  i: string,
): string {
  const at = (by: Factor["by"], place: string, count: string) =>
    by === "rows" ? `(${place}) * ${terms} + ${i}` : `(${i}) * ${count} + ${place}`;
  return `wideProduct(wide(${a.name}[${at(a.by, row, rows)}]), wide(${b.name}[${
    at(b.by, column, columns)
  }]))`;
}

/** A function `mended(row, column)` that computes an element of y = a·bᵀ + bias. */
export function mendFunction(a: Factor, b: Factor, bias?: string, terms = "params.terms"): string {
  const places = { row: "row", column: "column", terms, rows: "params.rows", columns: "params.columns" };
  const added = bias === undefined ? "sum" : `wideSum(sum, wide(${bias}[column]))`;
  return `${nan}${wideNumbers}
fn mended(row: u32, column: u32) -> f32 {
  ${wideSumOf(terms, (i) => wideTerm(a, b, places, i))}
  return narrow(${added});
}
`;
}

/** A shader that mends a whole y `[rows, columns]`. */
export function mendShader(a: Factor, b: Factor, bias?: string): string {
  return bindings({
    sizes: ["size", "rows", "columns", "terms"],
    outputs: ["y"],
    inputs: [a.name, b.name, ...bias === undefined ? [] : [bias]],
  }) + mendFunction(a, b, bias) +
    each("if (!isFinite(y[i])) { y[i] = mended(i / params.columns, i % params.columns); }");
}

/** Runs a {@linkcode mendShader}. */
export function mend(
  gpu: Gpu,
  code: string,
  y: GpuBlock,
  inputs: readonly GpuBlock[],
  rows: number,
  columns: number,
  terms: number,
): void {
  runEach(gpu, code, [y], inputs, [rows * columns, rows, columns, terms]);
}
