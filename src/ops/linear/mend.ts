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
  /** In a batch of products, a variable with the index of the first element of the matrix. */
  readonly from?: string;
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
  const at = ({ by, from }: Factor, place: string, count: string) =>
    startOf(from) + (by === "rows" ? `(${place}) * ${terms} + ${i}` : `(${i}) * ${count} + ${place}`);
  return `wideProduct(wide(${a.name}[${at(a, row, rows)}]), wide(${b.name}[${at(b, column, columns)}]))`;
}

/** What is added to the index in a matrix. */
export function startOf(from: string | undefined): string {
  return from === undefined ? "" : `${from} + `;
}

/** Declares the variables of {@linkcode Factor.from}, and sets them to those of a product of a batch. */
export const batches = {
  sizes: ["aStep", "bStep"],
  variables: "var<private> aFrom: u32;\nvar<private> bFrom: u32;\n",
  set: (index: string) => `aFrom = ${index} * params.aStep;\n  bFrom = ${index} * params.bStep;`,
};

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

/** A shader that mends a whole y `[rows, columns]`, or a batch of them. */
export function mendShader(a: Factor, b: Factor, bias?: string): string {
  const isBatch = a.from !== undefined;
  return bindings({
    sizes: ["size", "rows", "columns", "terms", ...isBatch ? batches.sizes : []],
    outputs: ["y"],
    inputs: [a.name, b.name, ...bias === undefined ? [] : [bias]],
  }) + (isBatch ? batches.variables : "") + mendFunction(a, b, bias) +
    each(
      isBatch
        ? `let row = i / params.columns;
  ${batches.set("(row / params.rows)")}
  if (!isFinite(y[i])) { y[i] = mended(row % params.rows, i % params.columns); }`
        : "if (!isFinite(y[i])) { y[i] = mended(i / params.columns, i % params.columns); }",
    );
}

/** Runs a {@linkcode mendShader}; `steps` are the distances of the matrices of a batch. */
export function mend(
  gpu: Gpu,
  code: string,
  y: GpuBlock,
  inputs: readonly GpuBlock[],
  rows: number,
  columns: number,
  terms: number,
  batch = 1,
  steps: readonly number[] = [],
): void {
  runEach(gpu, code, [y], inputs, [batch * rows * columns, rows, columns, terms, ...steps]);
}
