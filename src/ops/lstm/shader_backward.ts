/**
 * The gradient of an LSTM's recurrence on a GPU. The cells are computed first, one channel of a sequence by each
 * invocation. Backpropagation follows as in the recurrence: one workgroup for each sequence if the gates fit its
 * memory, otherwise one dispatch for each step.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import {
  bindings,
  each,
  exponential,
  hyperbolicTangent,
  inRows,
  iterationsAtOnce,
  iterationsOf,
  logistic,
  main,
  nan,
  runEach,
} from "../../backends/webgpu/wgsl.ts";
import { wideNumbers, wideSumOf } from "../../backends/webgpu/wide.ts";
import { copyRows } from "../batch/shader.ts";
import { heldChannels } from "./shader.ts";

/** The cells before the steps from params.start to params.end. */
const lstmCellsShader = bindings({
  sizes: ["size", "time", "channels", "start", "end"],
  outputs: ["cells"],
  inputs: ["preactivations", "cell"],
}) + nan + exponential + logistic + hyperbolicTangent + each(`let channels = params.channels;
  let channel = i % channels;
  let first = i / channels * params.time;
  var before = cell[i];
  if (params.start > 0u) { before = cells[(first + params.start - 1u) * channels + channel]; }
  for (var time = params.start; time < params.end; time++) {
    if (time > 0u) {
      let gate = (first + time - 1u) * 4u * channels + channel;
      let kept = logistic(preactivations[gate + channels]) * before;
      before = kept + logistic(preactivations[gate]) * hyperbolicTangent(preactivations[gate + 2u * channels]);
    }
    cells[(first + time) * channels + channel] = before;
  }`);

const declarations = bindings({
  sizes: ["batch", "time", "channels", "start", "end"],
  outputs: ["gPreactivations", "gHidden", "gCell"],
  inputs: ["gy", "preactivations", "hiddenWeight", "cells"],
}) + nan + exponential + logistic + hyperbolicTangent + `
// The gradients of a channel's gates i, f, g, o at a step, given the gradient of its hidden value from later steps.
// gCell holds the gradient of the cell after the step, and is replaced by that of the cell before it.
fn retreat(row: u32, sequence: u32, channel: u32, later: f32) -> vec4f {
  let channels = params.channels;
  let gate = row * 4u * channels + channel;
  let i = logistic(preactivations[gate]);
  let f = logistic(preactivations[gate + channels]);
  let g = hyperbolicTangent(preactivations[gate + 2u * channels]);
  let o = logistic(preactivations[gate + 3u * channels]);
  let before = cells[row * channels + channel];
  let squashed = hyperbolicTangent(f * before + i * g);
  let ofHidden = later + gy[row * channels + channel];
  let at = sequence * channels + channel;
  let ofCell = gCell[at] + ofHidden * o * (1.0 - squashed * squashed);
  let all = vec4f(
    // The later gradient is multiplied last: its product with a large cell might overflow where a closed gate makes
    // it 0.
    ofCell * (g * (i * (1.0 - i))),
    ofCell * (before * (f * (1.0 - f))),
    ofCell * (i * (1.0 - g * g)),
    ofHidden * (squashed * (o * (1.0 - o))),
  );
  gCell[at] = ofCell * f;
  gPreactivations[gate] = all.x;
  gPreactivations[gate + channels] = all.y;
  gPreactivations[gate + 2u * channels] = all.z;
  gPreactivations[gate + 3u * channels] = all.w;
  return all;
}
${wideNumbers}`;

/**
 * A function that recomputes the gradient of a channel's hidden value if the sum is not finite, from the gradients
 * in `gates` that start at an index: its terms may overflow where the sum does not.
 */
function mend(gates: string): string {
  return `
fn mend(total: f32, at: u32, channel: u32) -> f32 {
  if (isFinite(total)) { return total; }
  ${
    wideSumOf(
      "4u * params.channels",
      (i) => `wideProduct(wide(${gates}[at + ${i}]), wide(hiddenWeight[(${i}) * params.channels + channel]))`,
    )
  }
  return narrow(sum);
}
`;
}

/** The size of a workgroup that computes a sequence. */
const threads = 256;

/**
 * A workgroup computes the steps from params.end back to params.start of one sequence. With few channels, several
 * invocations share the sum over the gates of a channel.
 */
const lstmSequenceBackwardShader = `${declarations}
var<workgroup> held: array<f32, ${heldChannels}>;
var<workgroup> gates: array<f32, ${4 * heldChannels}>;
var<workgroup> parts: array<f32, ${Math.max(threads, heldChannels)}>;
${mend("gates")}${
  main(
    threads,
    `if (group >= params.batch) { return; }
  let channels = params.channels;
  let shares = max(1u, min(${threads}u / channels, channels / 8u));
  let length = (4u * channels + shares - 1u) / shares;
  for (var c = lane; c < channels; c += ${threads}u) { held[c] = gHidden[group * channels + c]; }
  workgroupBarrier();
  for (var time = params.end; time > params.start; time--) {
    let row = group * params.time + time - 1u;
    for (var c = lane; c < channels; c += ${threads}u) {
      let all = retreat(row, group, c, held[c]);
      gates[c] = all.x;
      gates[channels + c] = all.y;
      gates[2u * channels + c] = all.z;
      gates[3u * channels + c] = all.w;
    }
    workgroupBarrier();
    for (var part = lane; part < channels * shares; part += ${threads}u) {
      let c = part % channels;
      let end = min((part / channels + 1u) * length, 4u * channels);
      var gate = part / channels * length;
      // Four independent sums, so that products do not wait for each other.
      var sum = vec4f();
      for (; gate + 4u <= end; gate += 4u) {
        let at = gate * channels + c;
        sum += vec4f(gates[gate], gates[gate + 1u], gates[gate + 2u], gates[gate + 3u]) * vec4f(
          hiddenWeight[at],
          hiddenWeight[at + channels],
          hiddenWeight[at + 2u * channels],
          hiddenWeight[at + 3u * channels],
        );
      }
      for (; gate < end; gate++) { sum.x += gates[gate] * hiddenWeight[gate * channels + c]; }
      parts[part] = (sum.x + sum.y) + (sum.z + sum.w);
    }
    workgroupBarrier();
    for (var c = lane; c < channels; c += ${threads}u) {
      var sum = 0.0;
      for (var part = c; part < channels * shares; part += channels) { sum += parts[part]; }
      held[c] = mend(sum, 0u, c);
    }
    workgroupBarrier();
  }
  for (var c = lane; c < channels; c += ${threads}u) { gHidden[group * channels + c] = held[c]; }`,
  )
}`;

/** The channels of a step's workgroup, and the invocations that share the sum over the gates of a channel. */
const tile = 16, shares = 16;

/**
 * Computes the gradients at the hidden values between two steps, after params.start steps, of all sequences; a
 * workgroup computes some channels. First come the contributions of the later step, then the gradients of the
 * earlier step's gates. After the last step there is only the latter, before the first only the former.
 */
const lstmStepBackwardShader = `${declarations}
var<workgroup> parts: array<f32, ${tile * shares}>;
${mend("gPreactivations")}${
  main(
    tile * shares,
    `let channels = params.channels;
  let tiles = (channels + ${tile - 1}u) / ${tile}u;
  let sequence = group / tiles;
  if (sequence >= params.batch) { return; }
  let channel = group % tiles * ${tile}u + lane % ${tile}u;
  let row = sequence * params.time + params.start;
  var part = 0.0;
  if (channel < channels && params.start < params.time) {
    for (var gate = lane / ${tile}u; gate < 4u * channels; gate += ${shares}u) {
      part += gPreactivations[row * 4u * channels + gate] * hiddenWeight[gate * channels + channel];
    }
  }
  parts[lane] = part;
  workgroupBarrier();
  if (lane >= ${tile}u || channel >= channels) { return; }
  let at = sequence * channels + channel;
  var later = part;
  for (var share = 1u; share < ${shares}u; share++) { later += parts[lane + share * ${tile}u]; }
  if (params.start == params.time) { later = gHidden[at]; } else { later = mend(later, row * 4u * channels, channel); }
  if (params.start == 0u) {
    gHidden[at] = later;
  } else {
    retreat(row - 1u, sequence, channel, later);
  }`,
  )
}`;

/** Backpropagates through time, from the preactivations of every step: `preactivations_t = gates_t + U h_{t-1}` */
export function lstmRecurrenceBackward(
  gpu: Gpu,
  gPreactivations: GpuBlock,
  gHidden: GpuBlock,
  gCell: GpuBlock,
  gy: GpuBlock,
  gNextHidden: GpuBlock,
  gNextCell: GpuBlock,
  preactivations: GpuBlock,
  hiddenWeight: GpuBlock,
  cell: GpuBlock,
  batch: number,
  time: number,
  channels: number,
): void {
  copyRows(gpu, gHidden, 0, channels, gNextHidden, 0, channels, batch, channels);
  copyRows(gpu, gCell, 0, channels, gNextCell, 0, channels, batch, channels);
  if (time === 0) return;
  gpu.withScratch(batch * time * channels, (cells) => {
    for (let start = 0; start < time; start += iterationsAtOnce) {
      const end = Math.min(time, start + iterationsAtOnce);
      const sizes = [batch * channels, time, channels, start, end];
      runEach(gpu, lstmCellsShader, [cells], [preactivations, cell], sizes);
    }
    const retreat = (code: string, start: number, end: number, groups: number) =>
      gpu.dispatch({
        code,
        outputs: [gPreactivations, gHidden, gCell],
        inputs: [gy, preactivations, hiddenWeight, cells],
        sizes: [batch, time, channels, start, end],
        workgroups: inRows(groups, gpu.limits),
      });
    if (channels <= heldChannels) {
      const stepsAtOnce = Math.floor(iterationsAtOnce / iterationsOfStep(channels));
      for (let end = time; end > 0; end -= stepsAtOnce) {
        retreat(lstmSequenceBackwardShader, Math.max(0, end - stepsAtOnce), end, batch);
      }
    } else {
      const groups = batch * Math.ceil(channels / tile);
      for (let step = time; step >= 0; step--) retreat(lstmStepBackwardShader, step, step, groups);
    }
  });
}

/** The most loop iterations of an invocation for a step of {@linkcode lstmSequenceBackwardShader}. */
function iterationsOfStep(channels: number): number {
  const shares = Math.max(1, Math.floor(Math.min(threads / channels, channels / 8)));
  const length = Math.ceil(4 * channels / shares);
  const products = iterationsOf(Math.floor(length / 4)) + iterationsOf(3);
  const times = Math.ceil(channels / threads);
  return 1 + iterationsOf(times) + iterationsOf(times, products) +
    iterationsOf(times, iterationsOf(shares) + iterationsOf(4 * channels));
}
