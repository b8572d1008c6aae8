/**
 * The gradient of the WKV scan in parallel over time. The adjoint of the sums, accumulated over later steps, is
 * itself of the form of the sums, so the same chunks serve: each is traversed forward from its carry to accumulate
 * its contribution to the adjoint, these are scanned from the end to the start, and each chunk is traversed
 * backwards from the adjoint after it.
 *
 * Traversing a chunk backwards needs the states before its steps. One in eight is stored; those in between are
 * recomputed. With all steps in one chunk this is the serial kernel, with an invocation for each channel.
 *
 * The gradient is linear in `gy` and `gNextState`, so intermediate values may overflow where those for a 2^96th of
 * both do not. A chunk whose results are not finite is traversed again in that unit, from the last step of all on,
 * since the scanned adjoint after it may be infinite too.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, inRows, main, nan } from "../../backends/webgpu/wgsl.ts";
import { wideNumbers, wideSumOf } from "../../backends/webgpu/wide.ts";
import { pastOfChunk, wkvCarries } from "./chunked.ts";
import { held, inverse, lastSums, sizes, unit } from "./held.ts";
import { scanSums } from "./scan.ts";
import { addStep, block, groupsOfAll, mainOfAll, readSums, walk, writeSums } from "./walk.ts";
import { adjointOfBlock, adjointOfStep } from "./adjoint.ts";

/** For each chunk and channel, its sequence, its decay and bonus, and the elements of its steps. */
const ofChunk = `
  let run = id / params.channels;
  let channel = id % params.channels;
  if (run >= params.batch * params.chunks) { return; }
  let batch = run / params.chunks;
  let chunk = run % params.chunks;
  let w = finiteDecay(decay[channel]);
  let u = bonus[channel];
  let start = chunk * params.chunk;
  let steps = min(params.chunk, params.time - start);
  let first = (batch * params.time + start) * params.channels + channel;`;

/** Stores the states inside each chunk, and its contribution to the adjoint before it. */
const survey = [
  bindings({
    sizes,
    outputs: ["held"],
    inputs: ["decay", "bonus", "key", "value", "gy", "state", "carries"],
  }),
  held,
  readSums("readState", "state"),
  readSums("readCarry", "carries"),
  mainOfAll(`${ofChunk}
  ${pastOfChunk}
  var adjoint = noSums();
  var done = 0u;
  let count = steps;
  ${
    walk(
      `if (done % ${block}u == 0u) {
      writeHeld(stateAt(batch, chunk * params.blocks + done / ${block}u) + channel, past);
    }
    adjoint = extend(outputAdjoint(past, w, u, k, v, g).past, adjoint, f32(done), w);
    ${addStep}
    done++;`,
      { k: "key", v: "value", g: "gy" },
    )
  }
  writeHeld(adjointAt(batch, params.chunks - chunk) + channel, adjoint);
  if (chunk == params.chunks - 1u) { writeHeld(lastStateAt(batch) + channel, past); }`),
].join("");

/** The adjoint of the last state. */
const turn = [
  bindings({ sizes, outputs: ["held"], inputs: ["gNextState"] }),
  held,
  mainOfAll(`
  let batch = id / params.channels;
  let channel = id % params.channels;
  if (batch >= params.batch) { return; }
  let last = readHeld(lastStateAt(batch) + channel);
  let at = 4u * batch * params.channels + channel;
  let adjoint = Sums(gNextState[at], gNextState[at + params.channels], -last.anchor, -last.age - lacking());
  writeHeld(adjointAt(batch, 0u) + channel, adjoint);`),
].join("");

/** Traverses all chunks backwards, each from the adjoint after it; stores the adjoint of the first state. */
const replay = [
  bindings({
    sizes,
    outputs: ["gKey", "gValue", "held"],
    inputs: ["decay", "bonus", "key", "value", "gy"],
  }),
  held,
  lastSums,
  mainOfAll(`${ofChunk}
  let row = params.channels;
  var later = readHeld(adjointAt(batch, params.chunks - 1u - chunk) + channel);
  if (chunk == params.chunks - 1u) { later.age += lacking(); }
  var gw = 0.0;
  var gu = 0.0;
  var most = 0u;
  for (var left = (steps + ${block - 1}u) / ${block}u; left > 0u; left--) {
    let before = (left - 1u) * ${block}u;
    let count = min(${block}u, steps - before);
    let at = first + before * row;
    let past0 = readHeld(stateAt(batch, chunk * params.blocks + left - 1u) + channel);
    ${
    adjointOfBlock(`
      gKey[here] = gk;
      gValue[here] = gv;
      gu += u1;
      gw += w1;
      most = max(most, max(magnitude(gk), magnitude(gv)));`)
  }
  }
  most = max(most, max(magnitude(gw), magnitude(gu)));
  if (chunk == 0u) { most = max(most, max(magnitude(later.numerator), magnitude(later.denominator))); }
  var scale = 1.0;
  if (most >= infinite) {
    scale = ${inverse};
    later = scaled(readHeld(adjointAt(batch, 0u) + channel), ${unit});
    let last = readHeld(lastStateAt(batch) + channel);
    let shrunk = shrunkBy(last, later);
    let anchorAt = placeOfAnchor(last, batch, channel);
    later.age += lacking();
    gw = 0.0;
    gu = 0.0;
    // Step by step, which is slow but rare. The loop is short because some drivers also traverse branches that are
    // not taken.
    for (var behind = params.time; behind > start; behind--) {
      let step = behind - 1u;
      let inside = step % params.chunk;
      let here = (batch * params.time + step) * row + channel;
      var past = readHeld(stateAt(batch, step / params.chunk * params.blocks + inside / ${block}u) + channel);
      for (var back = inside % ${block}u; back > 0u; back--) {
        past = extend(past, Sums(value[here - back * row], 1.0, key[here - back * row], 0.0), 1.0, w);
      }
      ${
    adjointOfStep(
      "past",
      "key[here]",
      "value[here]",
      `gy[here] * ${unit}`,
      `
      if (step < start + steps) {
        // Finite results are kept: in the unit they might underflow.
        let isLast = here == anchorAt;
        if (isLast || !isFinite(gKey[here])) { gKey[here] = (gk - select(0.0, shrunk, isLast)) * scale; }
        if (!isFinite(gValue[here])) { gValue[here] = gv * scale; }
        gu += u1;
        gw += w1;
      }`,
    )
  }
    }
  }
  let part = partAt(batch, chunk) + channel;
  held[part] = gw;
  held[part + row] = gu;
  held[part + 2u * row] = scale;
  if (chunk == 0u) { writeHeld(adjointAt(batch, params.chunks) + channel, later); }`),
].join("");

/** The gradient of the first state, and the share of the last state's anchor and age. */
const finish = [
  bindings({
    sizes,
    outputs: ["gState", "gKey", "held"],
    inputs: ["decay", "key", "state", "gNextState"],
  }),
  held,
  lastSums,
  readSums("readState", "state"),
  readSums("readGradient", "gNextState"),
  writeSums("writeGradient", "gState"),
  mainOfAll(`
  let batch = id / params.channels;
  let channel = id % params.channels;
  if (batch >= params.batch) { return; }
  let w = finiteDecay(decay[channel]);
  let row = params.channels;
  let at = 4u * batch * row + channel;
  let first = readState(at);
  let last = readHeld(lastStateAt(batch) + channel);
  let next = readGradient(at);
  let anchorAt = placeOfAnchor(last, batch, channel);
  let isKey = anchorAt != nowhere;
  var gKeyBefore = 0.0;
  // Whether the key's gradient already excludes it, which is so if its chunk was traversed again.
  var isShrunk = true;
  if (isKey) {
    gKeyBefore = gKey[anchorAt];
    isShrunk = held[partAt(batch, (anchorAt / row - batch * params.time) / params.chunk) + 2u * row + channel] > 1.0;
  }

  let part = partAt(batch, 0u) + channel;
  var gw = held[part];
  var adjoint = readHeld(adjointAt(batch, params.chunks) + channel);
  var scale = held[part + 2u * row];
  loop {
    let small = 1.0 / scale;
    // A state matters only through a·e^(q + n·w) and b·e^(q + n·w): with a larger exponent, (a, b) would be
    // smaller.
    let shrunk = shrunkBy(last, scaled(next, small));
    let lift = power(fma(first.age + adjoint.age, w, first.anchor + adjoint.anchor));
    let grow = meet(first, adjoint, 0.0, w);
    // Without a step in between, these two cancel.
    let change = grow - select(shrunk, 0.0, isKey);
    let gState = Sums(
      lift * adjoint.numerator,
      lift * adjoint.denominator,
      change + select(small * next.anchor, 0.0, isKey),
      w * change + select(small * next.age, 0.0, isKey),
    );
    let ofDecay = gw + (first.age * grow - last.age * shrunk);
    let ofKey = gKeyBefore * small + (next.anchor * small - select(shrunk, 0.0, isShrunk));
    let most = max(
      max(max(magnitude(gState.numerator), magnitude(gState.denominator)), magnitude(ofDecay)),
      max(max(magnitude(gState.anchor), magnitude(gState.age)), magnitude(ofKey)),
    );
    if (most < infinite || scale > 1.0) {
      writeGradient(
        at,
        Sums(gState.numerator * scale, gState.denominator * scale, gState.anchor * scale, gState.age * scale),
      );
      if (isKey) { gKey[anchorAt] = ofKey * scale; }
      held[part] = ofDecay;
      held[part + 2u * row] = scale;
      break;
    }
    scale = ${inverse};
    gw *= ${unit};
    held[part + row] *= ${unit};
    adjoint = scaled(adjoint, ${unit});
  }`),
].join("");

/** The size of the workgroups that sum, and their channels. */
const adders = 256, tile = 8;

/** The gradients of decay and bonus: the sums of all parts, always in the same order. */
const addUp = [
  bindings({ sizes, outputs: ["gDecay", "gBonus"], inputs: ["held"] }),
  nan,
  wideNumbers,
  `var<workgroup> added: array<vec2f, ${adders}>;

fn partsOf(run: u32, channel: u32) -> u32 {
  return params.partsAt + 3u * run * params.channels + channel;
}

fn mended(total: f32, row: u32, channel: u32) -> f32 {
  if (isFinite(total)) { return total; }
  ${
    wideSumOf(
      "params.batch * params.chunks",
      (run) =>
        `wideProduct(wide(held[partsOf(${run}, channel) + row * params.channels]), wide(held[partsOf(${run}, channel) + 2u * params.channels]))`,
    )
  }
  return narrow(sum);
}
`,
  main(
    adders,
    `
  let channel = group * ${tile}u + lane % ${tile}u;
  var sum = vec2f();
  if (channel < params.channels) {
    for (var run = lane / ${tile}u; run < params.batch * params.chunks; run += ${adders / tile}u) {
      let at = partsOf(run, channel);
      sum += vec2f(held[at], held[at + params.channels]) * held[at + 2u * params.channels];
    }
  }
  added[lane] = sum;
  workgroupBarrier();
  if (lane >= ${tile}u || channel >= params.channels) { return; }
  for (var other = lane + ${tile}u; other < ${adders}u; other += ${tile}u) { sum += added[other]; }
  gDecay[channel] = mended(sum.x, 0u, channel);
  gBonus[channel] = mended(sum.y, 1u, channel);`,
  ),
].join("");

/** The kernel `wkvBackward` in chunks of `chunk` steps, at least 1. */
export function wkvChunkedBackward(
  gpu: Gpu,
  gDecay: GpuBlock,
  gBonus: GpuBlock,
  gKey: GpuBlock,
  gValue: GpuBlock,
  gState: GpuBlock,
  gy: GpuBlock,
  gNextState: GpuBlock,
  decay: GpuBlock,
  bonus: GpuBlock,
  key: GpuBlock,
  value: GpuBlock,
  state: GpuBlock,
  batch: number,
  time: number,
  channels: number,
  chunk: number,
): void {
  const chunks = Math.max(1, Math.ceil(time / chunk)), blocks = Math.ceil(chunk / block);
  const sums = batch * 4 * channels;
  const statesAt = sums * (chunks + 1), partsAt = statesAt + sums * (chunks * blocks + 1);
  const sizes = [batch, time, channels, chunk, chunks, blocks, statesAt, partsAt];
  const ofChunks = groupsOfAll(batch * chunks * channels, gpu.limits);
  const ofChannels = groupsOfAll(batch * channels, gpu.limits);
  gpu.withScratch(partsAt + batch * chunks * 3 * channels, (held) => {
    gpu.withScratch(sums * (chunks - 1), (carries) => {
      wkvCarries(gpu, carries, decay, key, value, state, batch, time, channels, chunk, chunks - 1);
      const inputs = [decay, bonus, key, value, gy, state, carries];
      gpu.dispatch({ code: survey, outputs: [held], inputs, sizes, workgroups: ofChunks });
    });
    gpu.dispatch({ code: turn, outputs: [held], inputs: [gNextState], sizes, workgroups: ofChannels });
    scanSums(gpu, held, decay, null, batch, channels, chunk, chunks + 1);
    gpu.dispatch({
      code: replay,
      outputs: [gKey, gValue, held],
      inputs: [decay, bonus, key, value, gy],
      sizes,
      workgroups: ofChunks,
    });
    gpu.dispatch({
      code: finish,
      outputs: [gState, gKey, held],
      inputs: [decay, key, state, gNextState],
      sizes,
      workgroups: ofChannels,
    });
    gpu.dispatch({
      code: addUp,
      outputs: [gDecay, gBonus],
      inputs: [held],
      sizes,
      workgroups: inRows(Math.ceil(channels / tile), gpu.limits),
    });
  });
}
