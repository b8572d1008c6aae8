/**
 * The gradient of attention on a GPU, without a matrix of all weights. A first dispatch stores for each
 * query its largest score, the sum of its weights and gy·y, from which every weight can be recomputed. For the
 * gradient of the queries, a workgroup takes a block of queries through the keys; for those of keys and values, a
 * block of keys through the queries. Each sum is then computed by a single invocation.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import {
  bindings,
  each,
  inRows,
  iterationsAtOnce,
  iterationsOf,
  main,
  runEach,
} from "../../backends/webgpu/wgsl.ts";
import { wideNumbers, wideSumOf } from "../../backends/webgpu/wide.ts";
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

const block: Block = { rows: 16, threads: 256 };
const { rows, threads } = block;
/** Invocations that share a row. */
const lanes = threads / rows;
const ownSizes = ["start", "end"];
const gradientSizes = [...ownSizes, "mends"];

/** The head, the sequence and the rows of a workgroup, and their offsets in the buffers. */
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

/** The size and the input that a mask adds. */
const maskSizes = ["maskCapacity"], maskInputs = ["mask"];

/** The most loop iterations of an invocation for a tile, with or without the gradients of its row. */
function iterationsOfTile(size: number, gradients: boolean): number {
  const sums = iterationsOf(Math.ceil(size / lanes), iterationsOf(others));
  const once = iterationsOfProducts(block, size);
  return 1 + (gradients ? 2 * once + sums : once);
}

/** The additional iterations for a tile when a workgroup recomputes its gradients. */
function iterationsOfMending(size: number): number {
  const slopes = others / lanes * iterationsOf(size);
  return Math.ceil(size / lanes) * (1 + iterationsOfProducts(block, size) + slopes + iterationsOf(others));
}

/**
 * For each query and head: the largest score, the sum of the weights relative to it, gy·y, and the unit of the
 * scores.
 */
const weighShader = (masked: boolean) =>
  `${
    declarations(
      block,
      [...ownSizes, ...masked ? maskSizes : []],
      ["sums: vec4f"],
      ["query", "key", "gy", "y", ...masked ? maskInputs : []],
    )
  }
var<workgroup> found: array<vec4f, ${threads}>;
${queryUnitMemory(block)}${
    main(
      threads,
      `${place}
  ${queryUnit(block)}
  let seen = params.past + row + 1u;
  let end = min(params.end, min(params.keyTime, params.past + firstRow + ${rows}u));
  var top = -3.4028234e38;
  var total = 0.0;
  for (var first = params.start; first < end; first += ${others}u) {
    ${products(block, "score", queryInUnits, key)}
    ${
        ofPlaces(block, (i, at) =>
          `if (first + ${at} < min(seen, end)${masked ? ` && !(${isHidden(`first + ${at}`)})` : ""}) {
      var score = score${i} * params.scale;
      // The softmax of an infinite score is NaN.
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
  // The mean is complete in each dispatch; the sum of the weights continues over ranges of keys.
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

/** The statistics of a query and head: the workgroup's row or, if its rows are keys, one of the others. */
const sumsOf = (query: string) => `sums[(sequence * params.queryTime + ${query}) * params.heads + head]`;

/**
 * A workgroup takes its rows through the others that see them or are seen, `start` to `end`, and
 * accumulates their contributions to the gradients of its rows.
 */
function gradientShader(
  { outputs, rowsOf, score, along, seen, queryOf, keyOf, sums, masked }: {
    readonly outputs: readonly string[];
    readonly rowsOf: string;
    readonly score: string;
    readonly along: string;
    /** Statements for the workgroup's `start` and `end`, and the row's `low` and `high`. */
    readonly seen: string;
    /** The query and the key of the row and of the other at a position. */
    readonly queryOf: (at: string) => string;
    readonly keyOf: (at: string) => string;
    /** The sum over the others `k` that is added to each output: a weight or a slope times an element. */
    readonly sums: readonly { readonly factor: "weights" | "slopes"; readonly element: string }[];
    /** Whether the others are keys that may be hidden. */
    readonly masked?: boolean;
  },
): string {
  const inputs = ["query", "key", "value", "gy", "y", "sums: vec4f", ...masked ? maskInputs : []];
  const sizes = [...gradientSizes, ...masked ? maskSizes : []];
  const skipHidden = masked ? `if (${isHidden("first + k")}) { continue; }\n          ` : "";
  const weightAt = (i: number, at: string) =>
    `let known = ${sumsOf(queryOf(at))};
      let weight = exponential((score${i} * params.scale - known.x) * oneOver(known.w)) / known.y;`;
  return `${declarations(block, sizes, outputs, inputs)}${wideNumbers}
var<workgroup> weights: array<f32, ${rows * others}>;
var<workgroup> slopes: array<f32, ${rows * others}>;
var<workgroup> spoiled: atomic<u32>;
var<workgroup> mending: u32;
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
      ${weightAt(i, at)}
      weights[mine * ${others}u + ${at}] = weight;
      slopes[mine * ${others}u + ${at}] = weight * (along${i} - known.z) * params.scale;
    }`)
      }
    workgroupBarrier();
    // Keys that a query does not see are not read, since they may be NaN.
    let lowest = max(low, first) - first;
    let highest = max(min(high, min(end, first + ${others}u)), first) - first;
    if (exists) {
      for (var c = column; c < params.size; c += ${lanes}u) {
        ${outputs.map((_, i) => `var sum${i} = 0.0;`).join(" ")}
        for (var k = lowest; k < highest; k++) {
          ${skipHidden}${
        sums.map(({ factor, element }, i) => `sum${i} += ${factor}[mine * ${others}u + k] * ${element};`)
          .join(
            "\n          ",
          )
      }
        }
        ${outputs.map((name, i) => `${name}[outAt + c] += sum${i};`).join("\n        ")}
      }
    }
    // The barriers in the products precede the next writes to the weights.
  }
  if (params.mends == 0u) { return; }
  if (exists) {
    for (var c = column; c < params.size; c += ${lanes}u) {
      if (${
        outputs.map((name) => `!isFinite(${name}[outAt + c])`).join(" || ")
      }) { atomicStore(&spoiled, 1u); }
    }
  }
  workgroupBarrier();
  if (lane == 0u) { mending = atomicLoad(&spoiled); }
  if (workgroupUniformLoad(&mending) == 0u) { return; }

  // Recompute results that are not finite, since only intermediate values may have overflowed: all channels, as
  // many at a time as there are lanes.
  for (var channel = 0u; channel < params.size; channel += ${lanes}u) {
    let c = channel + column;
    ${outputs.map((_, i) => `var total${i} = wide(0.0);`).join(" ")}
    for (var first = start; first < end; first += ${others}u) {
      ${score}
      ${
        ofPlaces(block, (i, at) =>
          `{
        ${weightAt(i, at)}
        let gyAt = queryAt + ${queryOf(at)} * params.channels;
        let valueRow = valueAt + ${keyOf(at)} * params.channels;
        ${
            wideSumOf(
              "params.size",
              (i) =>
                `wideProduct(wide(gy[gyAt + ${i}]), wideSum(wide(value[valueRow + ${i}]), negative(wide(y[gyAt + ${i}]))))`,
            )
          }
        let slope = wideProduct(wide(weight * params.scale), sum);
        weights[mine * ${others}u + ${at}] = weight;
        slopes[mine * ${others}u + ${at}] = slope.m;
        // The tile has been read. There may be no memory for another array.
        otherTile[mine * ${others}u + ${at}] = f32(slope.e);
      }`)
      }
      workgroupBarrier();
      let lowest = max(low, first) - first;
      let highest = max(min(high, min(end, first + ${others}u)), first) - first;
      if (exists && c < params.size) {
        for (var k = lowest; k < highest; k++) {
          ${skipHidden}let at = mine * ${others}u + k;
          ${
        sums.map(({ factor, element }, i) => {
          const wide = factor === "slopes" ? "Wide(slopes[at], i32(otherTile[at]))" : "wide(weights[at])";
          return `total${i} = wideSum(total${i}, wideProduct(${wide}, wide(${element})));`;
        }).join("\n          ")
      }
        }
      }
      workgroupBarrier();
    }
    if (exists && c < params.size) {
      ${
        outputs.map((name, i) =>
          `if (!isFinite(${name}[outAt + c])) { ${name}[outAt + c] = narrow(total${i}); }`
        ).join("\n      ")
      }
    }
  }`,
    )
  }`;
}

/** With d_ij = p_ij (gy_i·v_j - gy_i·y_i) / √N: gq_i = Σ_j d_ij k_j */
const queryGradientShader = (masked: boolean) =>
  gradientShader({
    masked,
    outputs: ["gQuery"],
    rowsOf: "params.queryTime",
    score: products(block, "score", { ...query, unit: (row) => `${sumsOf(`(firstRow + ${row})`)}.w` }, key),
    along: products(block, "along", gradient, value),
    seen: `let start = params.start;
  let end = min(params.end, min(params.keyTime, params.past + firstRow + ${rows}u));
  let low = 0u;
  let high = params.past + row + 1u;`,
    queryOf: () => "min(row, params.queryTime - 1u)",
    keyOf: (at) => `min(first + ${at}, params.keyTime - 1u)`,
    sums: [{ factor: "slopes", element: "key[keyAt + (first + k) * params.channels + c]" }],
  });

/** gk_j = Σ_i d_ij q_i, gv_j = Σ_i p_ij gy_i */
const keyGradientShader = gradientShader({
  outputs: ["gKey", "gValue"],
  rowsOf: "params.keyTime",
  score: products(block, "score", key, { ...query, unit: (row) => `${sumsOf(`(first + ${row})`)}.w` }),
  along: products(block, "along", value, gradient),
  // The first query that sees a key is the one at its time, or the first of all if it comes later.
  seen: `let start = max(params.start, max(firstRow, params.past) - params.past);
  let end = params.end;
  let low = max(row, params.past) - params.past;
  let high = params.queryTime;`,
  queryOf: (at) => `min(first + ${at}, params.queryTime - 1u)`,
  keyOf: () => "min(row, params.keyTime - 1u)",
  sums: [
    { factor: "slopes", element: "query[queryAt + (first + k) * params.channels + c]" },
    { factor: "weights", element: "gy[queryAt + (first + k) * params.channels + c]" },
  ],
});

/**
 * Sets the gradients of hidden keys to 0. A device may bind no more buffers than {@linkcode keyGradientShader} has
 * without a mask.
 */
const hideShader = bindings({
  sizes: ["size", "channels", "keyTime", "maskCapacity"],
  outputs: ["gKey", "gValue"],
  inputs: maskInputs,
}) + each(`let row = i / params.channels;
  let sequence = row / params.keyTime;
  if (${isHidden("row % params.keyTime")}) {
    gKey[i] = 0.0;
    gValue[i] = 0.0;
  }`);

/** The shaders of queries, without a mask and with one. */
const codes = [false, true].map((masked) => ({
  weigh: weighShader(masked),
  queryGradient: queryGradientShader(masked),
}));

/** See `attentionOp` in `mod.ts`. */
export function attentionBackward(
  gpu: Gpu,
  gQuery: GpuBlock,
  gKey: GpuBlock,
  gValue: GpuBlock,
  gy: GpuBlock,
  query: GpuBlock,
  key: GpuBlock,
  value: GpuBlock,
  mask: GpuBlock | null,
  y: GpuBlock,
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
  const size = channels / heads, past = causal ? keyTime - queryTime : keyTime;
  const { weigh, queryGradient } = codes[Number(mask !== null)];
  /** Runs a shader for all rows, with as many of the others in a dispatch as its loops allow. */
  function run(code: string, outputs: GpuBlock[], inputs: GpuBlock[], own: number, total: number): void {
    const blocks = Math.ceil(own / rows), groups = batch * heads * blocks;
    const gradients = code !== weigh, ofTile = iterationsOfTile(size, gradients);
    const atOnce = others * Math.max(1, Math.floor(iterationsAtOnce / ofTile));
    const all = Math.ceil(total / others) * (ofTile + iterationsOfMending(size));
    const mends = gradients ? [Number(all <= iterationsAtOnce)] : [];
    let from = 0;
    do {
      const until = Math.min(total, from + atOnce);
      gpu.dispatch({
        code,
        outputs,
        inputs,
        sizes: [
          ...[groups, queryTime, keyTime, past, keyCapacity, valueCapacity],
          ...[channels, heads, size, blocks, from, until, ...mends],
          ...mask !== null && code !== keyGradientShader ? [maskCapacity] : [],
        ],
        constants: [1 / Math.sqrt(size)],
        workgroups: inRows(groups, gpu.limits),
      });
      from = until;
    } while (from < total);
  }
  gpu.withScratch(4 * batch * queryTime * heads, (sums) => {
    const inputs = [query, key, value, gy, y, sums], masks = mask === null ? [] : [mask];
    run(weigh, [sums], [query, key, gy, y, ...masks], queryTime, keyTime);
    run(queryGradient, [gQuery], [...inputs, ...masks], queryTime, keyTime);
    run(keyGradientShader, [gKey, gValue], inputs, keyTime, queryTime);
    const count = batch * keyTime * channels;
    if (mask !== null) {
      runEach(gpu, hideShader, [gKey, gValue], masks, [count, channels, keyTime, maskCapacity]);
    }
  });
}
