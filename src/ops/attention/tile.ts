/**
 * The WGSL that attention and its gradient share: where the rows of a head stand, and the products of a workgroup's rows
 * with a tile of others.
 *
 * @module
 */
import { bindings, exponential, iterationsOf, nan, rank, units } from "../../backends/webgpu/wgsl.ts";

/** What one workgroup is for; each row has as many invocations, which share the others first and the channels then. */
export interface Block {
  readonly rows: number;
  readonly threads: number;
}

/** Others of a tile; channels of it that are in the memory of the workgroup at a time. */
export const others = 64;
const depth = 16, pitch = depth + 1;

/** The sizes of every kernel, in front of its own; `blocks` are those of a head. */
const sizes = [
  ...["groups", "queryTime", "keyTime", "keyCapacity", "valueCapacity"],
  ...["channels", "heads", "size", "blocks"],
];

/** What a kernel is bound to, and the functions and the memory that the rest of this needs. */
export function declarations(
  { rows }: Block,
  ownSizes: readonly string[],
  outputs: readonly string[],
  inputs: readonly string[],
): string {
  return `${
    bindings({ sizes: [...sizes, ...ownSizes], constants: ["scale"], outputs, inputs })
  }${nan}${rank}${exponential}${units}
var<workgroup> rowTile: array<f32, ${rows * pitch}>;
var<workgroup> otherTile: array<f32, ${others * pitch}>;
`;
}

/** Where the rows of a `head` of a `sequence` stand in the buffers, and which of them a `block` is for. */
export function placeOf({ rows, threads }: Block): string {
  const lanes = threads / rows;
  return `let channel = head * params.size;
  let queryAt = sequence * params.queryTime * params.channels + channel;
  let keyAt = sequence * params.keyCapacity * params.channels + channel;
  let valueAt = sequence * params.valueCapacity * params.channels + channel;
  // The keys from before the first query.
  let past = params.keyTime - params.queryTime;
  let column = lane % ${lanes}u;
  let firstRow = block * ${rows}u;
  let mine = lane / ${lanes}u;
  let row = firstRow + mine;`;
}

/** A line for each of the others of an invocation: it has those at its column, and every so many further on. */
export function ofPlaces({ rows, threads }: Block, line: (i: number, at: string) => string): string {
  const lanes = threads / rows;
  return Array.from({ length: others / lanes }, (_, i) => line(i, `column + ${i * lanes}u`)).join("\n    ");
}

/** Rows of a head in a buffer: where they start, and before which they end. */
export interface Rows {
  readonly buffer: string;
  readonly at: string;
  readonly end: string;
  /** What to multiply with, by the row's number. */
  readonly unit?: (row: string) => string;
}

/**
 * The `unit` of the invocation's query, in the workgroup's memory as well: the query is multiplied by it before it is multiplied
 * with keys, so that no score overflows, and differences of scores by its `inverse` before they are exponents.
 */
export function queryUnit({ rows, threads }: Block): string {
  const lanes = threads / rows;
  return `var most = 0u;
  if (row < params.queryTime) {
    for (var c = column; c < params.size; c += ${lanes}u) {
      most = max(most, bitcast<u32>(query[queryAt + row * params.channels + c]) & 0x7fffffffu);
    }
  }
  mosts[lane] = most;
  workgroupBarrier();
  for (var other = 0u; other < ${lanes}u; other++) { most = max(most, mosts[mine * ${lanes}u + other]); }
  // 2^8 below one over the largest: there is room for a sum.
  let unit = oneOver(unitOf(bitcast<f32>(most) * 256.0));
  let inverse = oneOver(unit);
  if (column == 0u) { queryUnits[mine] = unit; }
  workgroupBarrier();`;
}

/** The memory of {@linkcode queryUnit}. */
export function queryUnitMemory({ rows, threads }: Block): string {
  return `var<workgroup> mosts: array<u32, ${threads}>;
var<workgroup> queryUnits: array<f32, ${rows}>;
`;
}

/** Variables `name0`, `name1` …: products of the invocation's row with its others, from `first` on. */
export function products(block: Block, name: string, row: Rows, other: Rows): string {
  return `${ofPlaces(block, (i) => `var ${name}${i} = 0.0;`)}
    for (var chunk = 0u; chunk < params.size; chunk += ${depth}u) {
      ${load(block, "rowTile", block.rows, row, "firstRow")}
      ${load(block, "otherTile", others, other, "first")}
      workgroupBarrier();
      // Summed up chunk by chunk: a small product would lose its last bits beside the sum of hundreds.
      ${ofPlaces(block, (i) => `var part${i} = 0.0;`)}
      for (var c = 0u; c < ${depth}u; c++) {
        let element = rowTile[mine * ${pitch}u + c];
        ${ofPlaces(block, (i, at) => `part${i} += element * otherTile[(${at}) * ${pitch}u + c];`)}
      }
      ${ofPlaces(block, (i) => `${name}${i} += part${i};`)}
      workgroupBarrier();
    }`;
}

/** A chunk of the channels of so many rows, from one on; zeros where there are none. */
function load(
  { threads }: Block,
  tile: string,
  count: number,
  { buffer, at, end, unit }: Rows,
  from: string,
): string {
  return `for (var k = lane / ${depth}u; k < ${count}u; k += ${threads / depth}u) {
        let c = lane % ${depth}u;
        var element = 0.0;
        if (${from} + k < ${end} && chunk + c < params.size) {
          element = ${buffer}[${at} + (${from} + k) * params.channels + chunk + c]${
    unit === undefined ? "" : ` * ${unit("k")}`
  };
        }
        ${tile}[k * ${pitch}u + c] = element;
      }`;
}

/** What products with a tile add to the loops of an invocation, at most. */
export function iterationsOfProducts({ rows, threads }: Block, size: number): number {
  const loads = [rows, others].map((count) => iterationsOf(Math.ceil(count * depth / threads)));
  return iterationsOf(Math.ceil(size / depth), loads[0] + loads[1] + iterationsOf(depth));
}
