/**
 * Rotary embedding on a GPU.
 *
 * The sine of thousands of radians is inaccurate in single precision. Angles are therefore counted in turns, of
 * which only the fraction matters, and the fraction is a 64-bit integer: a position times the turns of a step wraps
 * around by itself.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, each, nan, runEach } from "../../backends/webgpu/wgsl.ts";

/**
 * An invocation rotates a pair of channels. See `rotary` in `mod.ts`; the gradient rotates back.
 *
 * @param own whether each step has a position of its own
 */
function rotaryShader(back: boolean, own: boolean): string {
  return bindings({
    sizes: ["size", "time", "half", "pairs", "position"],
    outputs: ["y"],
    inputs: ["x", "turns: vec2u", ...own ? ["positions"] : []],
  }) + (own ? nan : "") + `
// The upper 32 bits of a product.
fn multiplyHigh(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let middle = a1 * b0 + ((a0 * b0) >> 16u);
  return a1 * b1 + (middle >> 16u) + ((a0 * b1 + (middle & 0xffffu)) >> 16u);
}

// Sine and cosine of phase / 2^32 turns.
fn sinCos(phase: u32) -> vec2f {
  let quarter = (phase + 0x20000000u) >> 30u;
  let r = f32(bitcast<i32>(phase - (quarter << 30u))) * ${2 * Math.PI / 2 ** 32};
  let z = r * r;
  let s = r * (1.0 + z * (-1.0 / 6.0 + z * (1.0 / 120.0 + z * (-1.0 / 5040.0 + z * (1.0 / 362880.0)))));
  let c = 1.0 + z * (-0.5 + z * (1.0 / 24.0 + z * (-1.0 / 720.0 + z * (1.0 / 40320.0 + z * (-1.0 / 3628800.0)))));
  let turned = select(vec2f(s, c), vec2f(c, -s), (quarter & 1u) == 1u);
  return select(turned, -turned, (quarter & 2u) == 2u);
}
` + each(`let pair = i % params.pairs;
  let row = i / params.pairs;
  ${
    own
      ? `let bits = bitcast<u32>(positions[row]);
  let position = u32(positions[row]);
  // Compares bits, which below 2^31 increase with the number.
  let isKnown = (bits < 0x4f000000u || bits == 0x80000000u) && f32(position) == positions[row];`
      : "let position = params.position + row % params.time;"
  }
  let step = turns[pair % params.half];
  let phase = position * step.y + multiplyHigh(position, step.x);
  ${own ? "var" : "let"} angle = sinCos(${back ? "0u - phase" : "phase"});
  ${own ? "if (!isKnown) { angle = vec2f(nanOf(i)); }" : ""}
  let at = row * 2u * params.pairs + pair / params.half * 2u * params.half + pair % params.half;
  let first = x[at];
  let second = x[at + params.half];
  y[at] = first * angle.y - second * angle.x;
  y[at + params.half] = second * angle.y + first * angle.x;`);
}

/** A kernel that runs this shader. */
function turning(code: string) {
  return (
    gpu: Gpu,
    y: GpuBlock,
    x: GpuBlock,
    batch: number,
    time: number,
    channels: number,
    heads: number,
    position: number,
    base: number,
  ): void => {
    const pairs = channels / 2, half = pairs / heads;
    const turns = gpu.table(`turns ${half} ${base}`, () => turnsOfPairs(half, base));
    runEach(gpu, code, [y], [x, turns], [batch * time * pairs, time, half, pairs, position]);
  };
}

/** Rotates the pair (i, i + N/2) of each head by the angle (position + t)·base^(-2i/N) */
export const rotary = turning(rotaryShader(false, false));

/** Rotates the pair (i, i + N/2) of each head back by the angle of `rotary` */
export const rotaryBackward = turning(rotaryShader(true, false));

/** The same for a position for each step of each sequence. */
function turningAt(code: string) {
  return (
    gpu: Gpu,
    y: GpuBlock,
    x: GpuBlock,
    position: GpuBlock,
    batch: number,
    time: number,
    channels: number,
    heads: number,
    base: number,
  ): void => {
    const pairs = channels / 2, half = pairs / heads;
    const turns = gpu.table(`turns ${half} ${base}`, () => turnsOfPairs(half, base));
    runEach(gpu, code, [y], [x, turns, position], [batch * time * pairs, time, half, pairs, 0]);
  };
}

/** Rotates the pair (i, i + N/2) of each head by the angle position·base^(-2i/N) */
export const rotaryAt = turningAt(rotaryShader(false, true));

/** Rotates the pair (i, i + N/2) of each head back by the angle of `rotaryAt` */
export const rotaryAtBackward = turningAt(rotaryShader(true, true));

/** The fraction of a turn by which each pair of a head rotates in a step, as 64 bits, the lower 32 first. */
function turnsOfPairs(half: number, base: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(2 * half);
  for (let i = 0; i < half; i++) {
    const turns = base ** (-i / half) / (2 * Math.PI);
    const upper = (turns - Math.floor(turns)) * 2 ** 32;
    words[2 * i] = (upper - Math.floor(upper)) * 2 ** 32;
    words[2 * i + 1] = upper;
  }
  return words;
}
