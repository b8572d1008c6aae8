/**
 * Sums over rows on a GPU, by thousands of rows at once and always in the same order. Rows are cut into parts, a
 * workgroup each and some columns, in which every invocation adds up some rows; then the parts are added up in turn.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "./gpu.ts";
import { bindings, inRows, main } from "./wgsl.ts";

/** Invocations in a workgroup. */
const threads = 256;
/** Rows that an invocation adds up in a part, and the most where there is one part only. */
const fewRows = 16, manyRows = 128;

/** The sum of a row's `term`, an expression in `row`, `column` and the element's number `at`, over a part of the rows. */
export function sumsShader(across: number, inputs: readonly string[], term: string): string {
  const down = threads / across;
  return `${bindings({ sizes: ["rows", "columns", "range", "parts"], outputs: ["y"], inputs })}
var<workgroup> sums: array<f32, ${threads}>;
` + main(
    threads,
    `let tiles = (params.columns + ${across - 1}u) / ${across}u;
  let part = group / tiles;
  if (part >= params.parts) { return; }
  let column = group % tiles * ${across}u + lane % ${across}u;
  let inside = column < params.columns;
  let end = min(params.rows, (part + 1u) * params.range);
  var sum = 0.0;
  if (inside) {
    for (var row = part * params.range + lane / ${across}u; row < end; row += ${down}u) {
      let at = row * params.columns + column;
      sum += ${term};
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var width = ${threads / 2}u; width >= ${across}u; width >>= 1u) {
    if (lane < width) { sums[lane] += sums[lane + width]; }
    workgroupBarrier();
  }
  if (lane < ${across}u && inside) { y[part * params.columns + column] = sums[lane]; }`,
  );
}

/** Sums of a term over rows: of every column, y `[columns]`. */
export type Sums = (
  gpu: Gpu,
  y: GpuBlock,
  inputs: readonly GpuBlock[],
  rows: number,
  columns: number,
) => void;

/** The sums of `term`, see {@linkcode sumsShader}. */
export function sumsOf(inputs: readonly string[], term: string): Sums {
  const ofOne = sumsShader(1, inputs, term), ofMany = sumsShader(32, inputs, term);
  return (gpu, y, blocks, rows, columns) => {
    const across = columns === 1 ? 1 : 32, down = threads / across;
    const parts = rows <= manyRows * down ? 1 : Math.ceil(rows / (fewRows * down));
    const sumTo = (sums: GpuBlock) =>
      gpu.dispatch({
        code: columns === 1 ? ofOne : ofMany,
        outputs: [sums],
        inputs: blocks,
        sizes: [rows, columns, Math.ceil(rows / parts), parts],
        workgroups: inRows(parts * Math.ceil(columns / across), gpu.limits),
      });
    if (parts === 1) return sumTo(y);
    gpu.withScratch(parts * columns, (sums) => {
      sumTo(sums);
      sumRows(gpu, y, [sums], parts, columns);
    });
  };
}

/** y = Σ x over the rows */
export const sumRows: Sums = sumsOf(["x"], "x[at]");
