/**
 * The linear map and its gradients on a GPU: a tiled matrix product for many rows; for few rows a product in which
 * the invocations of a workgroup split the inputs.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { sumRows } from "../../backends/webgpu/sums.ts";
import { bindings, inRows, iterationsAtOnce, main, reduction } from "../../backends/webgpu/wgsl.ts";
import { type Factor, mend, mendFunction } from "./mend.ts";
import { product, productInParts, productOf } from "./product.ts";

/** With fewer rows, tiles would be mostly empty. */
const fewRows = 8;
/** The most inputs in a dispatch; see {@linkcode iterationsAtOnce}. */
const inputsAtOnce = 64 * iterationsAtOnce;
/** The most inputs for which a sum is recomputed in the same dispatch. */
const mendableInputs = 50_000;

const ofX: Factor = { name: "x", by: "rows" }, ofWeight: Factor = { name: "weight", by: "rows" };

/**
 * A workgroup computes four outputs of one row: adjacent invocations read adjacent weights, and each input is read
 * once for all four.
 */
function linearFewShader(biased: boolean): string {
  return `${
    bindings({
      sizes: ["rows", "inputs", "outputs", "start", "end", "mends"],
      outputs: ["y"],
      inputs: ["x", "weight", ...biased ? ["bias"] : []],
    })
  }${mendFunction(ofX, ofWeight, biased ? "bias" : undefined, "params.inputs")}
// The value that the sum over the inputs from params.start on is added to.
fn before(at: u32, output: u32) -> f32 {
  if (params.start > 0u) { return y[at]; }
  return ${biased ? "bias[output]" : "0.0"};
}
` + reduction("sum", "vec4f", 64, (a, b) => `${a} + ${b}`) +
    main(
      64,
      `let fours = (params.outputs + 3u) / 4u;
  let row = group / fours;
  if (row >= params.rows) { return; }
  let output = group % fours * 4u;
  // Past the last output it is repeated, and not written.
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
    let value = before(at, output + lane) + total[lane];
    y[at] = value;
    if (!isFinite(value) && params.mends == 1u) { y[at] = mended(row, output + lane); }
  }`,
    );
}

const fewCode = linearFewShader(false), fewBiasedCode = linearFewShader(true);
const many = productOf(ofX, ofWeight), manyBiased = productOf(ofX, ofWeight, "bias");
const ofInput = productOf({ name: "gy", by: "rows" }, { name: "weight", by: "terms" });
const ofWeights = productOf({ name: "gy", by: "terms" }, { name: "x", by: "terms" });

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
  const blocks = bias === null ? [x, weight] : [x, weight, bias];
  if (rows >= fewRows) {
    product(gpu, bias === null ? many : manyBiased, y, blocks, rows, outputs, inputs);
    return;
  }
  const mends = inputs <= mendableInputs;
  // Run once even without inputs, to write the outputs.
  let start = 0;
  do {
    const end = Math.min(inputs, start + inputsAtOnce);
    gpu.dispatch({
      code: bias === null ? fewCode : fewBiasedCode,
      outputs: [y],
      inputs: blocks,
      sizes: [rows, inputs, outputs, start, end, Number(mends)],
      workgroups: inRows(rows * Math.ceil(outputs / 4), gpu.limits),
    });
    start = end;
  } while (start < inputs);
  if (!mends) mend(gpu, (bias === null ? many : manyBiased).mendCode, y, blocks, rows, outputs, inputs);
}

/** gx = gy·W */
export function linearBackwardInput(
  gpu: Gpu,
  gx: GpuBlock,
  gy: GpuBlock,
  weight: GpuBlock,
  rows: number,
  inputs: number,
  outputs: number,
): void {
  product(gpu, ofInput, gx, [gy, weight], rows, inputs, outputs);
}

/** gW = gyᵀ·x, gb = Σ gy */
export function linearBackwardWeight(
  gpu: Gpu,
  gWeight: GpuBlock,
  gBias: GpuBlock | null,
  gy: GpuBlock,
  x: GpuBlock,
  rows: number,
  inputs: number,
  outputs: number,
): void {
  productInParts(gpu, ofWeights, gWeight, [gy, x], outputs, inputs, rows);
  if (gBias !== null) sumRows(gpu, gBias, [gy], rows, outputs);
}
