/**
 * The gradient of causal attention on a GPU, without a matrix of all weights. A first dispatch leaves of each query its
 * largest score, the sum of its weights and gy·y, from which every weight can be computed again: by workgroups that take
 * some queries through the keys, for the gradient of the queries, and by others that take some keys through the queries,
 * for those of keys and values. So each sum is one invocation's own.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { inRows, iterationsAtOnce, iterationsOf, main } from "../../backends/webgpu/wgsl.ts";
import {
  type Block,
  declarations,
  iterationsOfProducts,
  ofPlaces,
  others,
  placeOf,
  products,
  queryUnit,
  queryUnitMemory,
} from "./tile.ts";

const block: Block = { rows: 16, threads: 256 };
const { rows, threads } = block;
/** Invocations that share a row. */
const lanes = threads / rows;
const ownSizes = ["start", "end"];

/** Which head of which sequence, and which rows of it, a workgroup is for, and where those stand in the buffers. */
const place = `if (group >= params.groups) { return; }
  let block = group % params.blocks;
  let head = group / params.blocks % params.heads;
  let sequence = group / params.blocks / params.heads;
  ${placeOf(block)}`;

const query = { buffer: "query", at: "queryAt", end: "params.queryTime" };
const queryInUnits = { ...query, unit: (row: string) => `queryUnits[${row}]` };
const gradient = { buffer: "gy", at: "queryAt", end: "params.queryTime" };
const key = { buffer: "key", at: "keyAt", end: "params.keyTime" };
const value = { buffer: "value", at: "valueAt", end: "params.keyTime" };

/** What a tile of others adds to the loops of an invocation, at most, with the gradients of its row or without. */
function iterationsOfTile(size: number, gradients: boolean): number {
  const sums = iterationsOf(Math.ceil(size / lanes), iterationsOf(others));
  const once = iterationsOfProducts(block, size);
  return 1 + (gradients ? 2 * once + sums : once);
}

/** Of each query and head: the largest score, the sum of the weights at its scale, gy·y, and the unit of the scores. */
export const weighShader = `${declarations(block, ownSizes, ["sums: vec4f"], ["query", "key", "gy", "y"])}
var<workgroup> found: array<vec4f, ${threads}>;
${queryUnitMemory(block)}${
  main(
    threads,
    `${place}
  ${queryUnit(block)}
  let seen = past + row + 1u;
  let end = min(params.end, min(params.keyTime, past + firstRow + ${rows}u));
  var top = -3.4028234e38;
  var total = 0.0;
  for (var first = params.start; first < end; first += ${others}u) {
    ${products(block, "score", queryInUnits, key)}
    ${
      ofPlaces(block, (i, at) =>
        `if (first + ${at} < min(seen, end)) {
      var score = score${i} * params.scale;
      // Infinity has no softmax.
      if (rank(score) >= rankOfInfinity) { score = nanOf(lane); }
      if (score > top) {
        total = total * exponential((top - score) * inverse) + 1.0;
        top = score;
      } else {
        total += exponential((score - top) * inverse);
      }
    }`)
    }
  }
  var mean = 0.0;
  if (row < params.queryTime) {
    let at = queryAt + row * params.channels;
    for (var c = column; c < params.size; c += ${lanes}u) { mean += gy[at + c] * y[at + c]; }
  }
  found[lane] = vec4f(top, total, mean, unit);
  workgroupBarrier();
  if (column > 0u || row >= params.queryTime) { return; }
  let at = (sequence * params.queryTime + row) * params.heads + head;
  var all = found[lane];
  for (var other = 1u; other < ${lanes}u; other++) { all = join(all, found[lane + other]); }
  // The mean is known each time, the weights are those of one more range of keys.
  if (params.start > 0u) { all = join(all, vec4f(sums[at].xy, 0.0, unit)); }
  sums[at] = all;`,
  )
}
fn join(a: vec4f, b: vec4f) -> vec4f {
  let top = max(a.x, b.x);
  let inverse = oneOver(a.w);
  let total = a.y * exponential((a.x - top) * inverse) + b.y * exponential((b.x - top) * inverse);
  return vec4f(top, total, a.z + b.z, a.w);
}
`;

/**
 * A workgroup takes its rows through others that it shares with them by the causal order, `from` to `until`, and adds
 * what each of these contributes to the gradients of its rows.
 */
function gradientShader(
  { outputs, rowsOf, score, along, seen, stats, sums }: {
    readonly outputs: readonly string[];
    readonly rowsOf: string;
    readonly score: string;
    readonly along: string;
    /** Statements for `start` and `end` of the workgroup, and `low` and `high` of the row. */
    readonly seen: string;
    /** The sums of the query, for the other at a place. */
    readonly stats: (at: string) => string;
    /** What is added to each output: a sum over `k`, the others. */
    readonly sums: readonly string[];
  },
): string {
  return `${declarations(block, ownSizes, outputs, ["query", "key", "value", "gy", "sums: vec4f"])}
var<workgroup> weights: array<f32, ${rows * others}>;
var<workgroup> slopes: array<f32, ${rows * others}>;
${
    main(
      threads,
      `${place}
  let exists = row < ${rowsOf};
  let outAt = (sequence * ${rowsOf} + row) * params.channels + channel;
  ${seen}
  if (exists && params.start == 0u) {
    for (var c = column; c < params.size; c += ${lanes}u) {
      ${outputs.map((name) => `${name}[outAt + c] = 0.0;`).join(" ")}
    }
  }
  for (var first = start; first < end; first += ${others}u) {
    ${score}
    ${along}
    ${
        ofPlaces(block, (i, at) =>
          `{
      let known = ${stats(at)};
      let weight = exponential((score${i} * params.scale - known.x) * oneOver(known.w)) / known.y;
      weights[mine * ${others}u + ${at}] = weight;
      slopes[mine * ${others}u + ${at}] = weight * (along${i} - known.z) * params.scale;
    }`)
      }
    workgroupBarrier();
    // Where a query doesn't see a key nothing is touched: a NaN there is none of its business.
    let lowest = max(low, first) - first;
    let highest = max(min(high, min(end, first + ${others}u)), first) - first;
    if (exists) {
      for (var c = column; c < params.size; c += ${lanes}u) {
        ${outputs.map((_, i) => `var sum${i} = 0.0;`).join(" ")}
        for (var k = lowest; k < highest; k++) {
          ${sums.map((term, i) => `sum${i} += ${term};`).join("\n          ")}
        }
        ${outputs.map((name, i) => `${name}[outAt + c] += sum${i};`).join("\n        ")}
      }
    }
    // The next weights are written behind the barriers of the products.
  }`,
    )
  }`;
}

/** The query and head that are the workgroup's row or, for its keys, one of the others. */
const sumsOf = (query: string) => `sums[(sequence * params.queryTime + ${query}) * params.heads + head]`;

/** With d_ij = p_ij (gy_i·v_j - gy_i·y_i) / √N: gq_i = Σ_j d_ij k_j */
export const queryGradientShader = gradientShader({
  outputs: ["gQuery"],
  rowsOf: "params.queryTime",
  score: products(block, "score", { ...query, unit: (row) => `${sumsOf(`(firstRow + ${row})`)}.w` }, key),
  along: products(block, "along", gradient, value),
  seen: `let start = params.start;
  let end = min(params.end, min(params.keyTime, past + firstRow + ${rows}u));
  let low = 0u;
  let high = past + row + 1u;`,
  stats: () => sumsOf("min(row, params.queryTime - 1u)"),
  sums: [`slopes[mine * ${others}u + k] * key[keyAt + (first + k) * params.channels + c]`],
});

/** gk_j = Σ_i d_ij q_i, gv_j = Σ_i p_ij gy_i */
export const keyGradientShader = gradientShader({
  outputs: ["gKey", "gValue"],
  rowsOf: "params.keyTime",
  score: products(block, "score", key, { ...query, unit: (row) => `${sumsOf(`(first + ${row})`)}.w` }),
  along: products(block, "along", value, gradient),
  // The first query that sees a key is that of the same time, or of all, where the key is older than they are.
  seen: `let start = max(params.start, max(firstRow, past) - past);
  let end = params.end;
  let low = max(row, past) - past;
  let high = params.queryTime;`,
  stats: (at) => sumsOf(`min(first + ${at}, params.queryTime - 1u)`),
  sums: [
    `slopes[mine * ${others}u + k] * query[queryAt + (first + k) * params.channels + c]`,
    `weights[mine * ${others}u + k] * gy[queryAt + (first + k) * params.channels + c]`,
  ],
});

/** See `attentionGradient` in `mod.ts`. */
export function attentionBackward(
  gpu: Gpu,
  gQuery: GpuBlock,
  gKey: GpuBlock,
  gValue: GpuBlock,
  gy: GpuBlock,
  query: GpuBlock,
  key: GpuBlock,
  value: GpuBlock,
  y: GpuBlock,
  batch: number,
  queryTime: number,
  keyTime: number,
  keyCapacity: number,
  valueCapacity: number,
  channels: number,
  heads: number,
): void {
  const size = channels / heads;
  /** Runs a shader for all rows, over as many of the others in a dispatch as its loops may have. */
  function run(code: string, outputs: GpuBlock[], inputs: GpuBlock[], own: number, total: number): void {
    const blocks = Math.ceil(own / rows), groups = batch * heads * blocks;
    const tiles = Math.floor(iterationsAtOnce / iterationsOfTile(size, code !== weighShader));
    const atOnce = others * Math.max(1, tiles);
    let from = 0;
    do {
      const until = Math.min(total, from + atOnce);
      gpu.dispatch({
        code,
        outputs,
        inputs,
        sizes: [
          ...[groups, queryTime, keyTime, keyCapacity, valueCapacity],
          ...[channels, heads, size, blocks, from, until],
        ],
        constants: [1 / Math.sqrt(size)],
        workgroups: inRows(groups, gpu.limits),
      });
      from = until;
    } while (from < total);
  }
  gpu.withScratch(4 * batch * queryTime * heads, (sums) => {
    const inputs = [query, key, value, gy, sums];
    run(weighShader, [sums], [query, key, gy, y], queryTime, keyTime);
    run(queryGradientShader, [gQuery], inputs, queryTime, keyTime);
    run(keyGradientShader, [gKey, gValue], inputs, keyTime, queryTime);
  });
}
