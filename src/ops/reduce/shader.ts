/**
 * Sums over an axis on a GPU: of short axes with an invocation for each, of long ones in parts.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { sumRowsOfEach } from "../../backends/webgpu/sums.ts";
import { bindings, each, nan, runEach } from "../../backends/webgpu/wgsl.ts";
import { wideNumbers, wideSumOf } from "../../backends/webgpu/wide.ts";

/** The longest axis that a single invocation sums. */
const short = 64;

/** y = `total` / divisor, or computed again if only the total overflowed. */
function sumShader(total: string): string {
  return `${
    bindings({
      sizes: ["size", "length", "inner"],
      constants: ["divisor"],
      outputs: ["y"],
      inputs: ["x"],
    })
  }${nan}${wideNumbers}
fn mended(first: u32) -> f32 {
  ${wideSumOf("params.length", (k) => `wide(x[first + (${k}) * params.inner])`)}
  return narrow(Wide(sum.m / params.divisor, sum.e));
}
` + each(`let first = i / params.inner * params.length * params.inner + i % params.inner;
  var total = 0.0;
  ${total}
  if (isFinite(total)) { y[i] = total / params.divisor; } else { y[i] = mended(first); }`);
}

const shortCode = sumShader(
  "for (var k = 0u; k < params.length; k++) { total += x[first + k * params.inner]; }",
);
const longCode = sumShader("total = y[i];");

/** y[o, i] = Σ x[o, :, i] / divisor for x `[outer, size, inner]` */
export function sum(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  outer: number,
  size: number,
  inner: number,
  divisor: number,
): void {
  const isShort = size <= short;
  if (!isShort) sumRowsOfEach(gpu, y, x, outer, size, inner);
  runEach(gpu, isShort ? shortCode : longCode, [y], [x], [outer * inner, size, inner], [divisor]);
}
