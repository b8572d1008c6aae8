/**
 * The recurrence of an LSTM on a GPU. If the gates fit its memory, a workgroup computes many steps of a sequence in
 * a dispatch; otherwise every step is a dispatch over all workgroups.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import {
  bindings,
  exponential,
  hyperbolicTangent,
  inRows,
  iterationsAtOnce,
  iterationsOf,
  logistic,
  main,
  nan,
  reduction,
} from "../../backends/webgpu/wgsl.ts";
import { copyRows } from "../batch/shader.ts";

/** The most channels whose gates fit the memory of a workgroup. */
export const heldChannels = 512;

const declarations = bindings({
  sizes: ["batch", "time", "channels", "start", "end"],
  outputs: ["y", "nextHidden", "nextCell"],
  inputs: ["gates", "hiddenWeight", "hidden", "cell"],
}) + nan + exponential + logistic + hyperbolicTangent + `
// The next hidden value of a channel, from the sums of its gates i, f, g, o. nextCell holds its cell from the first
// step on.
fn advance(at: u32, time: u32, sums: vec4f) -> f32 {
  var before: f32;
  if (time == 0u) { before = cell[at]; } else { before = nextCell[at]; }
  let next = logistic(sums.y) * before + logistic(sums.x) * hyperbolicTangent(sums.z);
  nextCell[at] = next;
  return logistic(sums.w) * hyperbolicTangent(next);
}
`;

/**
 * A function that recomputes a gate if its sum is not finite, from hidden values given as an expression in `c`: its
 * terms may overflow to both signs where the sum does not. Digits below 1 are lost, but do not matter beside them.
 */
function mend(hidden: string): string {
  return `
fn mend(sum: f32, gate: u32, origin: u32, at: u32) -> f32 {
  if (isFinite(sum)) { return sum; }
  var small = gates[gate] * 0x1p-64f * 0x1p-64f;
  for (var c = 0u; c < params.channels; c++) { small += (hiddenWeight[origin + c] * 0x1p-64f) * (${hidden} * 0x1p-64f); }
  return small * 0x1p64f * 0x1p64f;
}
`;
}

/** A workgroup computes the steps from params.start to params.end of one sequence. */
function lstmSequenceShader(): string {
  return `${declarations}
var<workgroup> held: array<f32, ${heldChannels}>;
var<workgroup> sums: array<f32, ${4 * heldChannels}>;
${mend("held[c]")}` + main(
    256,
    `if (group >= params.batch) { return; }
  let channels = params.channels;
  for (var c = lane; c < channels; c += 256u) {
    let at = group * channels + c;
    if (params.start == 0u) { held[c] = hidden[at]; } else { held[c] = nextHidden[at]; }
  }
  workgroupBarrier();
  for (var time = params.start; time < params.end; time++) {
    let row = group * params.time + time;
    for (var gate = lane; gate < 4u * channels; gate += 256u) {
      let origin = gate * channels;
      // Four independent sums, so that products do not wait for each other.
      var part = vec4f();
      var c = 0u;
      for (; c + 4u <= channels; c += 4u) {
        let at = origin + c;
        part += vec4f(hiddenWeight[at], hiddenWeight[at + 1u], hiddenWeight[at + 2u], hiddenWeight[at + 3u]) *
          vec4f(held[c], held[c + 1u], held[c + 2u], held[c + 3u]);
      }
      for (; c < channels; c++) { part.x += hiddenWeight[origin + c] * held[c]; }
      let gateAt = row * 4u * channels + gate;
      sums[gate] = mend(gates[gateAt] + ((part.x + part.y) + (part.z + part.w)), gateAt, origin, 0u);
    }
    workgroupBarrier();
    for (var c = lane; c < channels; c += 256u) {
      let all = vec4f(sums[c], sums[channels + c], sums[2u * channels + c], sums[3u * channels + c]);
      let value = advance(group * channels + c, time, all);
      held[c] = value;
      y[row * channels + c] = value;
    }
    workgroupBarrier();
  }
  for (var c = lane; c < channels; c += 256u) { nextHidden[group * channels + c] = held[c]; }`,
  );
}

/**
 * The step params.start of all sequences; a workgroup computes one channel. The previous hidden values are read
 * from y.
 */
function lstmStepShader(): string {
  return declarations + `
fn hiddenBefore(at: u32) -> f32 {
  // The offset at is that of the previous step's row, or of the sequence in the state.
  if (params.start == 0u) { return hidden[at]; }
  return y[at];
}
` + mend("hiddenBefore(at + c)") + reduction("sum", "vec4f", 64, (a, b) => `${a} + ${b}`) +
    main(
      64,
      `let channels = params.channels;
  let sequence = group / channels;
  if (sequence >= params.batch) { return; }
  let channel = group % channels;
  let time = params.start;
  let row = sequence * params.time + time;
  var part = vec4f();
  let origin = channels * (channel + channels * vec4u(0u, 1u, 2u, 3u));
  let beforeAt = channels * select(row - 1u, sequence, time == 0u);
  for (var c = lane; c < channels; c += 64u) {
    let before = hiddenBefore(beforeAt + c);
    let at = origin + c;
    part += before * vec4f(hiddenWeight[at.x], hiddenWeight[at.y], hiddenWeight[at.z], hiddenWeight[at.w]);
  }
  let all = sum(lane, part);
  if (lane > 0u) { return; }
  let gate = row * 4u * channels + channel;
  let inputs = vec4f(gates[gate], gates[gate + channels], gates[gate + 2u * channels], gates[gate + 3u * channels]);
  let sums = vec4f(
    mend(inputs.x + all.x, gate, origin.x, beforeAt),
    mend(inputs.y + all.y, gate + channels, origin.y, beforeAt),
    mend(inputs.z + all.z, gate + 2u * channels, origin.z, beforeAt),
    mend(inputs.w + all.w, gate + 3u * channels, origin.w, beforeAt),
  );
  let value = advance(sequence * channels + channel, time, sums);
  y[row * channels + channel] = value;
  nextHidden[sequence * channels + channel] = value;`,
    );
}

const sequenceCode = lstmSequenceShader();
const stepCode = lstmStepShader();

/** The recurrence of an LSTM, given the contributions of the inputs to its gates, in the order i, f, g, o */
export function lstmRecurrence(
  gpu: Gpu,
  y: GpuBlock,
  nextHidden: GpuBlock,
  nextCell: GpuBlock,
  gates: GpuBlock,
  hiddenWeight: GpuBlock,
  hidden: GpuBlock,
  cell: GpuBlock,
  batch: number,
  time: number,
  channels: number,
): void {
  if (time === 0) {
    copyRows(gpu, nextHidden, 0, channels, hidden, 0, channels, batch, channels);
    copyRows(gpu, nextCell, 0, channels, cell, 0, channels, batch, channels);
    return;
  }
  const held = channels <= heldChannels;
  const stepsAtOnce = held ? Math.floor(iterationsAtOnce / iterationsOfStep(channels)) : 1;
  for (let start = 0; start < time; start += stepsAtOnce) {
    gpu.dispatch({
      code: held ? sequenceCode : stepCode,
      outputs: [y, nextHidden, nextCell],
      inputs: [gates, hiddenWeight, hidden, cell],
      sizes: [batch, time, channels, start, Math.min(time, start + stepsAtOnce)],
      workgroups: inRows(held ? batch : batch * channels, gpu.limits),
    });
  }
}

/** The most loop iterations of an invocation for a step of {@linkcode lstmSequenceShader}. */
function iterationsOfStep(channels: number): number {
  const products = iterationsOf(Math.floor(channels / 4)) + iterationsOf(channels % 4) +
    iterationsOf(channels);
  return 1 + iterationsOf(Math.ceil(4 * channels / 256), products) + iterationsOf(Math.ceil(channels / 256));
}
