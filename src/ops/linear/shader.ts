/**
 * The linear map on a GPU: a tiled matrix product for many rows, and for few rows a product in which a workgroup splits
 * the inputs among its invocations.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import {
  bindings,
  inRows,
  iterationsAtOnce,
  iterationsOf,
  main,
  reduction,
} from "../../backends/webgpu/wgsl.ts";

/** Rows below which tiles would be mostly empty. */
const fewRows = 8;
/** Rows and outputs of a tile, and as many inputs of both matrices at a time in the memory of the workgroup. */
const tile = 64, depth = 16;
/** The most inputs in a dispatch; see {@linkcode iterationsAtOnce}. */
const inputsAtOnce = {
  few: 64 * iterationsAtOnce,
  many: depth * Math.floor(iterationsAtOnce / (1 + iterationsOf(tile * depth / 256) + iterationsOf(depth))),
};

function declarations(biased: boolean): string {
  return `${
    bindings({
      sizes: ["rows", "inputs", "outputs", "start", "end"],
      outputs: ["y"],
      inputs: ["x", "weight", ...biased ? ["bias"] : []],
    })
  }
// What the sum over the inputs from params.start on is added to.
fn before(at: u32, output: u32) -> f32 {
  if (params.start > 0u) { return y[at]; }
  return ${biased ? "bias[output]" : "0.0"};
}
`;
}

/** Four outputs of one row a workgroup: neighbours read neighbouring weights, and each input is read once for all four. */
export function linearFewShader(biased: boolean): string {
  return declarations(biased) + reduction("sum", "vec4f", 64, (a, b) => `${a} + ${b}`) +
    main(
      64,
      `let fours = (params.outputs + 3u) / 4u;
  let row = group / fours;
  if (row >= params.rows) { return; }
  let output = group % fours * 4u;
  // Past the last output it stands again, and is not written.
  let last = params.outputs - 1u;
  let origin = params.inputs * min(vec4u(output, output + 1u, output + 2u, output + 3u), vec4u(last));
  var part = vec4f();
  for (var i = params.start + lane; i < params.end; i += 64u) {
    let at = origin + i;
    part += x[row * params.inputs + i] * vec4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
  }
  let total = sum(lane, part);
  if (lane < 4u && output + lane < params.outputs) {
    let at = row * params.outputs + output + lane;
    y[at] = before(at, output + lane) + total[lane];
  }`,
    );
}

/** A tile of ${tile} by ${tile} a workgroup, 4 by 4 of it an invocation. */
export function linearManyShader(biased: boolean): string {
  // A word more than the inputs, or neighbours would wait for the same bank of memory.
  const pitch = depth + 1, words = tile * depth;
  const four = [0, 1, 2, 3];
  return `${declarations(biased)}
var<workgroup> xTile: array<f32, ${tile * pitch}>;
var<workgroup> weightTile: array<f32, ${tile * pitch}>;
` + main(
    256,
    `let across = (params.outputs + ${tile - 1}u) / ${tile}u;
  let firstRow = group / across * ${tile}u;
  let firstOutput = group % across * ${tile}u;
  if (firstRow >= params.rows) { return; }
  let down = lane / 16u;
  let right = lane % 16u;
  ${four.map((i) => `var sums${i} = vec4f();`).join(" ")}
  for (var first = params.start; first < params.end; first += ${depth}u) {
    for (var word = lane; word < ${words}u; word += 256u) {
      let input = first + word % ${depth}u;
      let place = word / ${depth}u;
      var fromX = 0.0;
      var fromWeight = 0.0;
      if (input < params.end && firstRow + place < params.rows) {
        fromX = x[(firstRow + place) * params.inputs + input];
      }
      if (input < params.end && firstOutput + place < params.outputs) {
        fromWeight = weight[(firstOutput + place) * params.inputs + input];
      }
      xTile[place * ${pitch}u + word % ${depth}u] = fromX;
      weightTile[place * ${pitch}u + word % ${depth}u] = fromWeight;
    }
    workgroupBarrier();
    // Summed up tile by tile: a small product would lose its last bits beside the sum of thousands.
    ${four.map((i) => `var part${i} = vec4f();`).join(" ")}
    for (var i = 0u; i < ${depth}u; i++) {
      let weights = vec4f(${four.map((o) => `weightTile[(right + ${16 * o}u) * ${pitch}u + i]`).join(", ")});
      ${four.map((r) => `part${r} += xTile[(down + ${16 * r}u) * ${pitch}u + i] * weights;`).join("\n      ")}
    }
    ${four.map((i) => `sums${i} += part${i};`).join(" ")}
    workgroupBarrier();
  }
  ${four.map((r) => `write(firstRow + down + ${16 * r}u, firstOutput + right, sums${r});`).join("\n  ")}`,
  ) + `
fn write(row: u32, firstOutput: u32, sums: vec4f) {
  if (row >= params.rows) { return; }
  for (var i = 0u; i < 4u; i++) {
    let output = firstOutput + 16u * i;
    if (output < params.outputs) {
      let at = row * params.outputs + output;
      y[at] = before(at, output) + sums[i];
    }
  }
}
`;
}

const fewCode = linearFewShader(false), fewBiasedCode = linearFewShader(true);
const manyCode = linearManyShader(false), manyBiasedCode = linearManyShader(true);

/** y = x·Wᵀ + b */
export function linear(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  weight: GpuBlock,
  bias: GpuBlock | null,
  rows: number,
  inputs: number,
  outputs: number,
): void {
  const few = rows < fewRows;
  const code = few ? (bias === null ? fewCode : fewBiasedCode) : (bias === null ? manyCode : manyBiasedCode);
  const groups = few ? rows * Math.ceil(outputs / 4) : Math.ceil(rows / tile) * Math.ceil(outputs / tile);
  const atOnce = few ? inputsAtOnce.few : inputsAtOnce.many;
  // Once where there are no inputs, too: the outputs are to be written.
  let start = 0;
  do {
    const end = Math.min(inputs, start + atOnce);
    gpu.dispatch({
      code,
      outputs: [y],
      inputs: bias === null ? [x, weight] : [x, weight, bias],
      sizes: [rows, inputs, outputs, start, end],
      workgroups: inRows(groups, gpu.limits),
    });
    start = end;
  } while (start < inputs);
}
