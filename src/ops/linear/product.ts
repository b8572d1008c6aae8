/**
 * A tiled matrix product on a GPU, of matrices in row- or column-major order: the linear map of many rows and both
 * of its gradients.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { mendedPartsOf, type PartsSums } from "../../backends/webgpu/sums.ts";
import { bindings, inRows, iterationsAtOnce, iterationsOf, main } from "../../backends/webgpu/wgsl.ts";
import { batches, type Factor, mend, mendFunction, mendShader, startOf, wideTerm } from "./mend.ts";

/** The rows and columns of a tile, and the terms of its sums that are in workgroup memory at a time. */
const tile = 64, depth = 16;
/** The most terms in a dispatch; see {@linkcode iterationsAtOnce}. */
const termsAtOnce = depth *
  Math.floor(iterationsAtOnce / (1 + iterationsOf(tile * depth / 256) + iterationsOf(depth)));
/** The most terms for which an invocation recomputes its 16 sums in the same dispatch. */
const mendableTerms = 3000;
/** The number of workgroups that keeps a large GPU busy, and the least number of terms in a part of the sums. */
const manyGroups = 256, shortestPart = 128;

/**
 * y = a·bᵀ + bias. A workgroup computes a tile of 64 by 64, each of its invocations 4 by 4 elements. `a` has one
 * row for each row of y, `b` one for each column. The terms are split into parts, each with a y of its own; in a batch,
 * the parts are its products.
 */
function productShader(a: Factor, b: Factor, bias?: string): string {
  // One word more than the terms, to avoid bank conflicts.
  const pitch = depth + 1, words = tile * depth;
  const four = [0, 1, 2, 3];
  const isBatch = a.from !== undefined;
  // Adjacent invocations read adjacent words; in workgroup memory they are stored by rows.
  const load = ({ name, by, from }: Factor, first: string, count: string) => {
    const [place, term] = by === "rows"
      ? [`word / ${depth}u`, `word % ${depth}u`]
      : [`word % ${tile}u`, `word / ${tile}u`];
    const at = startOf(from) + (by === "rows" ? `row * params.terms + term` : `term * ${count} + row`);
    return `{
        let row = ${first} + ${place};
        let term = start + ${term};
        var value = 0.0;
        if (row < ${count} && term < end) { value = ${name}[${at}]; }
        ${name}Tile[(${place}) * ${pitch}u + ${term}] = value;
      }`;
  };
  return `${
    bindings({
      sizes: [
        ...["rows", "columns", "terms", "start", "end", "range", "parts", "mends"],
        ...isBatch ? batches.sizes : [],
      ],
      outputs: ["y"],
      inputs: [a.name, b.name, ...bias === undefined ? [] : [bias]],
    })
  }
var<workgroup> ${a.name}Tile: array<f32, ${tile * pitch}>;
var<workgroup> ${b.name}Tile: array<f32, ${tile * pitch}>;
var<private> spoiled: bool;
${isBatch ? batches.variables : ""}${mendFunction(a, b, bias)}
// The value that the sum over the terms from params.start on is added to.
fn before(at: u32, column: u32) -> f32 {
  if (params.start > 0u) { return y[at]; }
  return ${bias === undefined ? "0.0" : `${bias}[column]`};
}

fn write(part: u32, row: u32, firstColumn: u32, sums: vec4f) {
  if (row >= params.rows) { return; }
  for (var i = 0u; i < 4u; i++) {
    let column = firstColumn + 16u * i;
    if (column < params.columns) {
      let at = (part * params.rows + row) * params.columns + column;
      let value = before(at, column) + sums[i];
      y[at] = value;
      if (!isFinite(value)) { spoiled = true; }
    }
  }
}
` + main(
    256,
    `let across = (params.columns + ${tile - 1}u) / ${tile}u;
  let tiles = (params.rows + ${tile - 1}u) / ${tile}u * across;
  let part = group / tiles;
  if (part >= params.parts) { return; }
  let firstRow = group % tiles / across * ${tile}u;
  let firstColumn = group % across * ${tile}u;
  let down = lane / 16u;
  let right = lane % 16u;
  ${isBatch ? batches.set("part") : ""}
  let first = params.start${isBatch ? "" : " + part * params.range"};
  let end = min(params.end, first + params.range);
  ${four.map((i) => `var sums${i} = vec4f();`).join(" ")}
  for (var start = first; start < end; start += ${depth}u) {
    for (var word = lane; word < ${words}u; word += 256u) {
      ${load(a, "firstRow", "params.rows")}
      ${load(b, "firstColumn", "params.columns")}
    }
    workgroupBarrier();
    // Sum each tile separately: adding to a sum of thousands would round a small product.
    ${four.map((i) => `var part${i} = vec4f();`).join(" ")}
    for (var i = 0u; i < ${depth}u; i++) {
      let columns = vec4f(${
      four.map((c) => `${b.name}Tile[(right + ${16 * c}u) * ${pitch}u + i]`).join(", ")
    });
      ${
      four.map((r) => `part${r} += ${a.name}Tile[(down + ${16 * r}u) * ${pitch}u + i] * columns;`).join(
        "\n      ",
      )
    }
    }
    ${four.map((i) => `sums${i} += part${i};`).join(" ")}
    workgroupBarrier();
  }
  ${
      four.map((r) => `write(part, firstRow + down + ${16 * r}u, firstColumn + right, sums${r});`).join(
        "\n  ",
      )
    }
  // At the end, so that this rare case takes no registers.
  if (spoiled && params.mends == 1u) {
    for (var i = 0u; i < 16u; i++) {
      let row = firstRow + down + 16u * (i / 4u);
      let column = firstColumn + right + 16u * (i % 4u);
      if (row < params.rows && column < params.columns) {
        let at = ${isBatch ? "(part * params.rows + row)" : "row"} * params.columns + column;
        if (!isFinite(y[at])) { y[at] = mended(row, column); }
      }
    }
  }`,
  );
}

/** The shaders of a product. */
interface Product {
  readonly code: string;
  readonly mendCode: string;
  readonly addParts: PartsSums;
}

/** An element of y is a column of the parts. */
const placesInParts = {
  ...{ row: "column / params.wide", column: "column % params.wide" },
  ...{ terms: "params.terms", rows: "params.high", columns: "params.wide" },
};

/** The shaders of a product of these factors; see {@linkcode productShader}. */
export function productOf(a: Factor, b: Factor, bias?: string): Product {
  return {
    code: productShader(a, b, bias),
    mendCode: mendShader(a, b, bias),
    addParts: mendedPartsOf([a.name, b.name], {
      sizes: ["high", "wide"],
      term: (i) => wideTerm(a, b, placesInParts, i),
    }),
  };
}

/** y `[rows, columns]` of {@linkcode productShader}, with sums of `terms` products. */
export function product(
  gpu: Gpu,
  { code, mendCode }: Product,
  y: GpuBlock,
  inputs: readonly GpuBlock[],
  rows: number,
  columns: number,
  terms: number,
): void {
  const mends = terms <= mendableTerms;
  multiply(gpu, code, y, inputs, rows, columns, terms, 1, mends);
  if (!mends) mend(gpu, mendCode, y, inputs, rows, columns, terms);
}

/** y `[batch, rows, columns]` of factors with {@linkcode Factor.from}, whose matrices are `steps` elements apart. */
export function productOfBatch(
  gpu: Gpu,
  { code, mendCode }: Product,
  y: GpuBlock,
  inputs: readonly GpuBlock[],
  batch: number,
  rows: number,
  columns: number,
  terms: number,
  steps: readonly [a: number, b: number],
): void {
  const mends = terms <= mendableTerms;
  // Run once even without terms, to write y.
  let start = 0;
  do {
    const end = Math.min(terms, start + termsAtOnce);
    gpu.dispatch({
      code,
      outputs: [y],
      inputs,
      sizes: [rows, columns, terms, start, end, terms, batch, Number(mends), ...steps],
      workgroups: inRows(batch * tilesOf(rows, columns), gpu.limits),
    });
    start = end;
  } while (start < terms);
  if (!mends) mend(gpu, mendCode, y, inputs, rows, columns, terms, batch, steps);
}

/** The same as {@linkcode product} in `parts` parts of the terms; recomputes what is not finite if `mends`. */
function multiply(
  gpu: Gpu,
  code: string,
  y: GpuBlock,
  inputs: readonly GpuBlock[],
  rows: number,
  columns: number,
  terms: number,
  parts: number,
  mends: boolean,
): void {
  const groups = parts * tilesOf(rows, columns);
  // Run once even without terms, to write y.
  let start = 0;
  do {
    const end = Math.min(terms, start + parts * termsAtOnce);
    const range = depth * Math.ceil((end - start) / (parts * depth));
    gpu.dispatch({
      code,
      outputs: [y],
      inputs,
      sizes: [rows, columns, terms, start, end, range, parts, Number(mends)],
      workgroups: inRows(groups, gpu.limits),
    });
    start = end;
  } while (start < terms);
}

/**
 * The same for sums of thousands of terms in a small y, whose tiles would not fill a GPU: computed in parts, which
 * are then summed.
 */
export function productInParts(
  gpu: Gpu,
  shaders: Product,
  y: GpuBlock,
  inputs: readonly GpuBlock[],
  rows: number,
  columns: number,
  terms: number,
): void {
  const filling = Math.ceil(manyGroups / tilesOf(rows, columns));
  const parts = Math.min(filling, Math.floor(terms / shortestPart));
  if (parts < 2) return product(gpu, shaders, y, inputs, rows, columns, terms);
  const size = rows * columns;
  gpu.withScratch(parts * size, (sums) => {
    multiply(gpu, shaders.code, sums, inputs, rows, columns, terms, parts, false);
    shaders.addParts(gpu, y, sums, inputs, parts, size, terms, [rows, columns]);
  });
}

function tilesOf(rows: number, columns: number): number {
  return Math.ceil(rows / tile) * Math.ceil(columns / tile);
}
