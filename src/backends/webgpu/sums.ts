/**
 * Sums over rows on a GPU, thousands of rows at a time and always in the same order. Rows are split into parts. A
 * workgroup sums some columns of a part, each of its invocations some rows; then the parts are summed in the same
 * way.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "./gpu.ts";
import { bindings, inRows, main, nan } from "./wgsl.ts";
import { wideNumbers, wideSumOf } from "./wide.ts";

/** Invocations in a workgroup. */
const threads = 256;
/** The rows that an invocation sums in a part, and the most if there is only one part. */
const fewRows = 16, manyRows = 128;

/** How to recompute a sum that is not finite, since only partial sums may overflow. */
interface Mending {
  /** Sizes that only the term uses. */
  readonly sizes?: readonly string[];
  /** An expression for the term in row `i` and `column`, as a wide number. */
  readonly term: (i: string) => string;
}

/** The sum of `term`, an expression in `row`, `column` and the element's index `at`, over a part of the rows. */
function sumsShader(
  across: number,
  inputs: readonly string[],
  term: string,
  mending?: Mending,
): string {
  const down = threads / across;
  const sizes = [
    ...["outer", "rows", "columns", "range", "parts"],
    ...mending ? ["terms", ...mending.sizes ?? []] : [],
  ];
  const mend = mending && `${nan}${wideNumbers}
fn mended(total: f32, column: u32) -> f32 {
  if (isFinite(total) || params.parts > 1u) { return total; }
  ${wideSumOf("params.terms", mending.term)}
  return narrow(sum);
}
`;
  const total = mend === undefined ? "sums[lane]" : "mended(sums[lane], column)";
  return `${bindings({ sizes, outputs: ["y"], inputs })}${mend ?? ""}
var<workgroup> sums: array<f32, ${threads}>;
` + main(
    threads,
    `let tiles = (params.columns + ${across - 1}u) / ${across}u;
  let place = group / tiles;
  if (place >= params.outer * params.parts) { return; }
  let first = place / params.parts * params.rows;
  let range = place % params.parts;
  let column = group % tiles * ${across}u + lane % ${across}u;
  let inside = column < params.columns;
  let end = min(params.rows, (range + 1u) * params.range);
  var sum = 0.0;
  if (inside) {
    for (var row = range * params.range + lane / ${across}u; row < end; row += ${down}u) {
      let at = (first + row) * params.columns + column;
      sum += ${term};
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var width = ${threads / 2}u; width >= ${across}u; width >>= 1u) {
    if (lane < width) { sums[lane] += sums[lane + width]; }
    workgroupBarrier();
  }
  if (lane < ${across}u && inside) { y[place * params.columns + column] = ${total}; }`,
  );
}

/** Sums of a term over rows, for every column: y is `[columns]`. */
type Sums = (
  gpu: Gpu,
  y: GpuBlock,
  inputs: readonly GpuBlock[],
  rows: number,
  columns: number,
) => void;

type ShaderFor = (columns: number) => string;

/** Chooses between two variants of a shader by the number of columns. */
function byColumns(shader: (across: number) => string): ShaderFor {
  const ofOne = shader(1), ofMany = shader(32);
  return (columns) => columns === 1 ? ofOne : ofMany;
}

/**
 * Runs a shader, and then another to sum its parts. `rest` are the inputs of both, and `sizes` those of the
 * mending.
 */
function sumUp(
  gpu: Gpu,
  codeFor: ShaderFor,
  partsCodeFor: ShaderFor,
  y: GpuBlock,
  inputs: readonly GpuBlock[],
  rest: readonly GpuBlock[],
  rows: number,
  columns: number,
  sizes: readonly number[],
  outer = 1,
): void {
  const across = columns === 1 ? 1 : 32, down = threads / across;
  const parts = rows <= manyRows * down ? 1 : Math.ceil(rows / (fewRows * down));
  const sumTo = (sums: GpuBlock) =>
    gpu.dispatch({
      code: codeFor(columns),
      outputs: [sums],
      inputs: [...inputs, ...rest],
      sizes: [outer, rows, columns, Math.ceil(rows / parts), parts, ...sizes],
      workgroups: inRows(outer * parts * Math.ceil(columns / across), gpu.limits),
    });
  if (parts === 1) return sumTo(y);
  gpu.withScratch(outer * parts * columns, (sums) => {
    sumTo(sums);
    sumUp(gpu, partsCodeFor, partsCodeFor, y, [sums], rest, parts, columns, sizes, outer);
  });
}

const rowsCodeFor = byColumns((across) => sumsShader(across, ["x"], "x[at]"));

/** y = Σ x over the rows */
export const sumRows: Sums = (gpu, y, inputs, rows, columns) =>
  sumUp(gpu, rowsCodeFor, rowsCodeFor, y, inputs, [], rows, columns, []);

/** y `[outer, columns]` = Σ x over the rows of each of several matrices */
export function sumRowsOfEach(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  outer: number,
  rows: number,
  columns: number,
): void {
  sumUp(gpu, rowsCodeFor, rowsCodeFor, y, [x], [], rows, columns, [], outer);
}

/** Sums of `term`; see {@linkcode sumsShader}. */
export function sumsOf(inputs: readonly string[], term: string): Sums {
  const codeFor = byColumns((across) => sumsShader(across, inputs, term));
  return (gpu, y, blocks, rows, columns) =>
    sumUp(gpu, codeFor, rowsCodeFor, y, blocks, [], rows, columns, []);
}

/** The same; sums that are not finite are recomputed from `wideTerm`, see {@linkcode Mending}. */
export function mendedSumsOf(inputs: readonly string[], term: string, wideTerm: Mending["term"]): Sums {
  const codeFor = byColumns((across) => sumsShader(across, inputs, term, { term: wideTerm }));
  const partsCodeFor = byColumns((across) => partsShader(across, inputs, { term: wideTerm }));
  return (gpu, y, blocks, rows, columns) =>
    sumUp(gpu, codeFor, partsCodeFor, y, [], blocks, rows, columns, [rows]);
}

/** Sums parts `[parts, columns]` of sums over `terms` rows of the inputs. */
export type PartsSums = (
  gpu: Gpu,
  y: GpuBlock,
  parts: GpuBlock,
  inputs: readonly GpuBlock[],
  rows: number,
  columns: number,
  terms: number,
  sizes: readonly number[],
) => void;

export function mendedPartsOf(inputs: readonly string[], mending: Mending): PartsSums {
  const codeFor = byColumns((across) => partsShader(across, inputs, mending));
  return (gpu, y, parts, blocks, rows, columns, terms, sizes) =>
    sumUp(gpu, codeFor, codeFor, y, [parts], blocks, rows, columns, [terms, ...sizes]);
}

function partsShader(across: number, inputs: readonly string[], mending: Mending): string {
  return sumsShader(across, ["part", ...inputs], "part[at]", mending);
}
