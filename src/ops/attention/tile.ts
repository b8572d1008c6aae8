/**
 * WGSL shared by attention and its gradient: the offsets of a head's rows, and the products of a workgroup's rows
 * with a tile of others.
 *
 * @module
 */
import { bindings, exponential, iterationsOf, nan, rank, units } from "../../backends/webgpu/wgsl.ts";

/** The shape of a workgroup. The invocations of a row divide first the others and then the channels among them. */
export interface Block {
  readonly rows: number;
  readonly threads: number;
}

/** The number of others in a tile, and the number of its channels in workgroup memory at a time. */
export const others = 64;
const depth = 16, pitch = depth + 1;

/**
 * The sizes that precede every kernel's own; `past` is the number of keys before the first query, or of all keys if
 * every query sees all, and `blocks` is the number of blocks of a head.
 */
const sizes = [
  ...["groups", "queryTime", "keyTime", "past", "keyCapacity", "valueCapacity"],
  ...["channels", "heads", "size", "blocks"],
];

/** The bindings of a kernel, and the functions and workgroup memory that the other fragments need. */
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

/** The offsets of the rows of a `head` of a `sequence`, and the rows of a `block`. */
export function placeOf({ rows, threads }: Block): string {
  const lanes = threads / rows;
  return `let channel = head * params.size;
  let queryAt = sequence * params.queryTime * params.channels + channel;
  let keyAt = sequence * params.keyCapacity * params.channels + channel;
  let valueAt = sequence * params.valueCapacity * params.channels + channel;
  let column = lane % ${lanes}u;
  let firstRow = block * ${rows}u;
  let mine = lane / ${lanes}u;
  let row = firstRow + mine;`;
}

/** Whether a key of the workgroup's sequence is hidden: tests the bits of its mask, since NaN counts as not 0. */
export function isHidden(key: string): string {
  return `(bitcast<u32>(mask[sequence * params.maskCapacity + ${key}]) << 1u) == 0u`;
}

/** A statement for each of an invocation's others, which start at its column and have a stride of `lanes`. */
export function ofPlaces({ rows, threads }: Block, line: (i: number, at: string) => string): string {
  const lanes = threads / rows;
  return Array.from({ length: others / lanes }, (_, i) => line(i, `column + ${i * lanes}u`)).join("\n    ");
}

/** The rows of a head in a buffer: their offset and their end. */
interface Rows {
  readonly buffer: string;
  readonly at: string;
  readonly end: string;
  /** A factor, by the row's index. */
  readonly unit?: (row: string) => string;
}

/**
 * Computes the `unit` of the invocation's query and stores it in workgroup memory. Queries are multiplied by it
 * before they are multiplied by keys, so that no score overflows; differences of scores are multiplied by its
 * `inverse` before they become exponents.
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
  // 2^8 below the reciprocal of the largest, to leave headroom for a sum.
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

/** Computes `name0`, `name1` …: products of the invocation's row with its others, from `first` on. */
export function products(block: Block, name: string, row: Rows, other: Rows): string {
  return `${ofPlaces(block, (i) => `var ${name}${i} = 0.0;`)}
    for (var chunk = 0u; chunk < params.size; chunk += ${depth}u) {
      ${load(block, "rowTile", block.rows, row, "firstRow")}
      ${load(block, "otherTile", others, other, "first")}
      workgroupBarrier();
      // Sum each chunk separately: adding to a sum of hundreds would round a small product.
      ${ofPlaces(block, (i) => `var part${i} = 0.0;`)}
      for (var c = 0u; c < ${depth}u; c++) {
        let element = rowTile[mine * ${pitch}u + c];
        ${ofPlaces(block, (i, at) => `part${i} += element * otherTile[(${at}) * ${pitch}u + c];`)}
      }
      ${ofPlaces(block, (i) => `${name}${i} += part${i};`)}
      workgroupBarrier();
    }`;
}

/** Loads a chunk of the channels of `count` rows, starting at `from`; zeros past their end. */
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

/** The most loop iterations of an invocation for the products with a tile. */
export function iterationsOfProducts({ rows, threads }: Block, size: number): number {
  const loads = [rows, others].map((count) => iterationsOf(Math.ceil(count * depth / threads)));
  return iterationsOf(Math.ceil(size / depth), loads[0] + loads[1] + iterationsOf(depth));
}
