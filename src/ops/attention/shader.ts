/**
 * Attention on a GPU, without a matrix of all scores. A workgroup takes a block of queries of a head through
 * the keys, a tile at a time, and scales its sums down when a tile has a larger score.
 *
 * With few queries most of a GPU would be idle, so the keys are split among workgroups too; a second dispatch
 * combines their results.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import {
  bindings,
  each,
  exponential,
  inRows,
  iterationsAtOnce,
  iterationsOf,
  main,
  nan,
  rank,
  runEach,
} from "../../backends/webgpu/wgsl.ts";
import {
  type Block,
  declarations,
  isHidden,
  iterationsOfProducts,
  ofPlaces,
  others,
  placeOf,
  products,
  queryUnit,
  queryUnitMemory,
} from "./tile.ts";

const manyQueries: Block = { rows: 16, threads: 256 };
const oneQuery: Block = { rows: 1, threads: 64 };
/** With fewer queries, {@linkcode manyQueries} would be mostly empty. */
const fewQueries = 8;
/** The number of keys in a split, if there are few queries: enough work for a workgroup. */
const keysOfSplit = 256;

/**
 * Σ e^(score - top) value over a split of the keys. `sums` holds the top score, the sum of the weights, the inverse of
 * the score's unit and, for a query that sees no key, 1. With a single split, the result is already divided by the sum
 * of the weights.
 */
function attentionShader(block: Block, masked: boolean): string {
  const { rows, threads } = block;
  /** Statements about key k of a tile, unless it is hidden. */
  const ifShown = (statements: string) => masked ? `if (!hidden[k]) { ${statements} }` : statements;
  const lanes = threads / rows;
  const query = {
    buffer: "query",
    at: "queryAt",
    end: "params.queryTime",
    unit: (row: string) => `queryUnits[${row}]`,
  };
  const key = { buffer: "key", at: "keyAt", end: "end" };
  return declarations(
    block,
    ["splits", "keysOfSplit", "rows", ...masked ? ["maskCapacity"] : []],
    ["y", "sums: vec4f"],
    ["query", "key", "value", ...masked ? ["mask"] : []],
  ) + queryUnitMemory(block) + `var<workgroup> weights: array<f32, ${rows * others}>;
${masked ? `var<workgroup> hidden: array<bool, ${others}>;\n` : ""}` + main(
    threads,
    `if (group >= params.groups) { return; }
  let split = group % params.splits;
  let block = group / params.splits % params.blocks;
  let head = group / params.splits / params.blocks % params.heads;
  let sequence = group / params.splits / params.blocks / params.heads;
  ${placeOf(block)}
  ${queryUnit(block)}
  let exists = row < params.queryTime;
  let seen = select(0u, params.past + row + 1u, exists);
  // No query of the block sees keys from here on.
  let until = min(params.keyTime, params.past + firstRow + ${rows}u);
  let start = split * params.keysOfSplit;
  let end = min(start + params.keysOfSplit, until);
  let outRow = split * params.rows + sequence * params.queryTime + row;
  let at = outRow * params.channels + channel;
  let weightsAt = mine * ${others}u;
  var top = -3.4028234e38;
  var total = 0.0;${masked ? "\n  var isBlind = true;" : ""}
  for (var first = start; first < end; first += ${others}u) {
    ${products(block, "score", query, key)}
    ${ofPlaces(block, (i, at) => `score${i} *= params.scale; weights[weightsAt + ${at}] = score${i};`)}
    ${
      masked
        ? `if (lane < ${others}u) { hidden[lane] = first + lane >= end || ${isHidden("first + lane")}; }`
        : ""
    }
    workgroupBarrier();

    // Keys that the query must not see are not read, since they may be NaN.
    let count = min(max(seen, first) - first, min(${others}u, end - first));
    var largest = rank(top);
    for (var k = 0u; k < count; k++) { ${
      ifShown(
        `${masked ? "isBlind = false; " : ""}largest = max(largest, rank(weights[weightsAt + k]));`,
      )
    } }
    // The softmax of an infinite score is NaN.
    var next = unrank(largest);
    if (largest >= rankOfInfinity) { next = nanOf(lane); }
    workgroupBarrier();
    ${ofPlaces(block, (i, at) => `weights[weightsAt + ${at}] = exponential((score${i} - next) * inverse);`)}
    workgroupBarrier();

    let shrink = exponential((top - next) * inverse);
    var added = 0.0;
    for (var k = 0u; k < count; k++) { ${ifShown("added += weights[weightsAt + k];")} }
    total = total * shrink + added;
    top = next;
    if (exists) {
      for (var c = column; c < params.size; c += ${lanes}u) {
        var sum = 0.0;
        for (var k = 0u; k < count; k++) {
          ${ifShown("sum += weights[weightsAt + k] * value[valueAt + (first + k) * params.channels + c];")}
        }
        if (first > start) { sum += y[at + c] * shrink; }
        y[at + c] = sum;
      }
    }
    // The barriers in the next tile's products precede its writes to the weights.
  }
  if (!exists) { return; }
  if (params.splits > 1u) {
    if (column == 0u) { sums[outRow * params.heads + head] = vec4f(top, total, inverse, ${
      masked ? "f32(isBlind)" : "0.0"
    }); }
    if (start >= end) {
      for (var c = column; c < params.size; c += ${lanes}u) { y[at + c] = 0.0; }
    }
    return;
  }
  for (var c = column; c < params.size; c += ${lanes}u) {
    if (${masked ? "isBlind" : "start >= end"}) { y[at + c] = 0.0; continue; }
    // All scores were -infinity.
    if (total == 0.0) {
      y[at + c] = nanOf(lane);
    } else {
      y[at + c] = y[at + c] / total;
    }
  }`,
  );
}

/** Combines the splits of the keys; each invocation computes an element of y. */
function attentionJoinShader(masked: boolean): string {
  return bindings({
    sizes: ["size", "headSize", "splits"],
    outputs: ["y"],
    inputs: ["parts", "sums: vec4f"],
  }) + nan + rank + exponential + each(`let heads = params.size / params.headSize;
  let head = i / params.headSize;
  var largest = 0u;${masked ? "\n  var isBlind = true;" : ""}
  for (var split = 0u; split < params.splits; split++) {
    ${
    masked ? "if (sums[split * heads + head].w == 1.0) { continue; }\n    isBlind = false;\n    " : ""
  }largest = max(largest, rank(sums[split * heads + head].x));
  }${masked ? "\n  if (isBlind) { y[i] = 0.0; return; }" : ""}
  let top = unrank(largest);
  var sum = 0.0;
  var total = 0.0;
  for (var split = 0u; split < params.splits; split++) {
    let found = sums[split * heads + head];
    ${
    masked ? "if (found.w == 1.0) { continue; }\n    " : ""
  }let share = exponential((found.x - top) * found.z);
    sum += share * parts[split * params.size + i];
    total += share * found.y;
  }
  if (total == 0.0) {
    y[i] = nanOf(i);
  } else {
    y[i] = sum / total;
  }`);
}

/** The shaders, without a mask and with one. */
const codes = [false, true].map((masked) => ({
  many: attentionShader(manyQueries, masked),
  one: attentionShader(oneQuery, masked),
  join: attentionJoinShader(masked),
}));

/** y_i = Σ_j softmax_j(q_i·k_j / √N) v_j over the keys j that query i sees, head by head; y_i = 0 if there are none */
export function attention(
  gpu: Gpu,
  y: GpuBlock,
  query: GpuBlock,
  key: GpuBlock,
  value: GpuBlock,
  mask: GpuBlock | null,
  batch: number,
  queryTime: number,
  keyTime: number,
  keyCapacity: number,
  valueCapacity: number,
  maskCapacity: number,
  channels: number,
  heads: number,
  causal: number,
): void {
  const size = channels / heads, rows = batch * queryTime;
  const past = causal ? keyTime - queryTime : keyTime;
  const few = queryTime < fewQueries;
  const block = few ? oneQuery : manyQueries, code = codes[Number(mask !== null)];
  const blocks = Math.ceil(queryTime / block.rows);
  const most = others * Math.max(1, Math.floor(iterationsAtOnce / iterationsOfTile(block, size)));
  const keysEach = few ? Math.min(keysOfSplit, most) : most;
  const splits = Math.max(1, Math.ceil(keyTime / keysEach));
  const groups = batch * heads * blocks * splits;
  const sizes = [
    ...[groups, queryTime, keyTime, past, keyCapacity, valueCapacity],
    ...[channels, heads, size, blocks, splits, keysEach, rows],
    ...mask === null ? [] : [maskCapacity],
  ];
  const run = (parts: GpuBlock, sums: GpuBlock) =>
    gpu.dispatch({
      code: few ? code.one : code.many,
      outputs: [parts, sums],
      inputs: mask === null ? [query, key, value] : [query, key, value, mask],
      sizes,
      constants: [1 / Math.sqrt(size)],
      workgroups: inRows(groups, gpu.limits),
    });
  gpu.withScratch(4 * splits * rows * heads, (sums) => {
    if (splits === 1) return run(y, sums);
    gpu.withScratch(splits * rows * channels, (parts) => {
      run(parts, sums);
      runEach(gpu, code.join, [y], [parts, sums], [rows * channels, size, splits]);
    });
  });
}

/** The most loop iterations of an invocation for a tile of keys. */
function iterationsOfTile(block: Block, size: number): number {
  const channels = iterationsOf(Math.ceil(size * block.rows / block.threads), iterationsOf(others));
  return 1 + iterationsOfProducts(block, size) + 2 * iterationsOf(others) + channels;
}
