/**
 * Dropout on a GPU.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, each, pcg4dCode, runEach } from "../../backends/webgpu/wgsl.ts";

/** See `reference.ts`, also for the last word of the hash. */
function dropoutShader(stepped: boolean): string {
  return bindings({
    sizes: ["size", "dropped", "seed", "base"],
    constants: ["scale"],
    outputs: ["y"],
    inputs: ["x", ...stepped ? ["step"] : []],
  }) + pcg4dCode + each(
    `let draw = ${stepped ? "params.base + u32(step[0])" : "params.base"};
  let isDropped = pcg4d(vec4u(params.seed, draw, i, 0xffffffffu)) >> 8u < params.dropped;
  y[i] = x[i] * select(params.scale, 0.0, isDropped);`,
  );
}

const code = dropoutShader(false), steppedCode = dropoutShader(true);

/** y = x · 0 where the hash of an element's index is below `dropped`, else x · scale */
export function dropout(
  gpu: Gpu,
  y: GpuBlock,
  x: GpuBlock,
  step: GpuBlock | null,
  size: number,
  dropped: number,
  scale: number,
  seed: number,
  base: number,
): void {
  const inputs = step === null ? [x] : [x, step];
  runEach(gpu, step === null ? code : steppedCode, [y], inputs, [size, dropped, seed, base], [scale]);
}

/** gx = gy · 0 or gy · scale, by the same draw */
export const dropoutBackward = dropout;
