/**
 * The WKV scan in parallel over time. Adding up runs of steps is associative, so time is cut into chunks: each is reduced
 * to its sums, the sums are scanned for the state that each chunk starts from, and all chunks are replayed from there.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, inRows, main } from "../../backends/webgpu/wgsl.ts";
import { addStep, groupsOfAll, mainOfAll, readSums, replayStep, sums, walk, writeSums } from "./walk.ts";

/**
 * The sums of all chunks but the last, `[batch, chunks - 1, 4, channels]`. Nothing comes behind the last, so every chunk
 * that is reduced is whole.
 */
const reduce = [
  bindings({
    sizes: ["batch", "time", "channels", "chunk", "reduced"],
    outputs: ["carries"],
    inputs: ["decay", "key", "value"],
  }),
  sums,
  writeSums("writeCarry", "carries"),
  mainOfAll(`
  let run = id / params.channels;
  let channel = id % params.channels;
  if (run >= params.batch * params.reduced) { return; }
  let w = decay[channel];
  let count = params.chunk;
  let start = run % params.reduced * params.chunk;
  let first = (run / params.reduced * params.time + start) * params.channels + channel;
  var past = noSums();
  ${walk(addStep)}
  writeCarry(4u * run * params.channels + channel, past);`),
].join("");

/** Invocations in a workgroup of the scan. */
const threads = 256;

/**
 * Puts in the place of each chunk's sums those of everything up to its end, the state before the first step included. The
 * chunks of a channel are cut into ranges, an invocation each: it adds up its chunks, the ranges are scanned in doubling
 * steps, and each then goes through its chunks again from what came before. A workgroup has some channels that are next
 * to one another in memory, with all their ranges.
 */
function scan(ranges: number): string {
  const tile = threads / ranges;
  return [
    bindings({
      sizes: ["batch", "channels", "chunk", "reduced", "tiles"],
      outputs: ["carries"],
      inputs: ["decay", "state"],
    }),
    sums,
    readSums("readState", "state"),
    readSums("readCarry", "carries"),
    writeSums("writeCarry", "carries"),
    `var<workgroup> scanned: array<Sums, ${threads}>;`,
    main(
      threads,
      `
  let batch = group / params.tiles;
  let channel = group % params.tiles * ${tile}u + lane % ${tile}u;
  let range = lane / ${tile}u;
  // An invocation without a channel goes along for the barriers, with no chunks.
  let inside = batch < params.batch && channel < params.channels;
  let length = (params.reduced + ${ranges - 1}u) / ${ranges}u;
  let first = min(range * length, params.reduced);
  let end = min(first + length, params.reduced);
  let chunks = select(0u, end - first, inside);
  let firstAt = 4u * (batch * params.reduced + first) * params.channels + channel;
  let steps = f32(params.chunk);
  var w = -1.0;
  var past = noSums();
  if (inside) { w = decay[channel]; }
  if (inside && range == 0u) { past = readState(4u * batch * params.channels + channel); }
  let before = past;

  var at = firstAt;
  for (var left = chunks; left > 0u; left--) {
    past = extend(past, readCarry(at), steps, w);
    at += 4u * params.channels;
  }
  scanned[lane] = past;
  workgroupBarrier();
  for (var reach = 1u; reach < ${ranges}u; reach *= 2u) {
    if (range >= reach) {
      // These sums go back to the end of the range that the others come from.
      let since = min((range + 1u - reach) * length, params.reduced);
      past = extend(scanned[lane - reach * ${tile}u], past, f32((end - since) * params.chunk), w);
    }
    workgroupBarrier();
    scanned[lane] = past;
    workgroupBarrier();
  }

  past = before;
  if (range > 0u) { past = scanned[lane - ${tile}u]; }
  at = firstAt;
  for (var left = chunks; left > 0u; left--) {
    past = extend(past, readCarry(at), steps, w);
    writeCarry(at, past);
    at += 4u * params.channels;
  }`,
    ),
  ].join("");
}

/** Where chunks are few and channels many, it is the channels that fill the device. */
const fewRanges = 8, manyRanges = 32;
const scanOfFew = scan(fewRanges), scanOfMany = scan(manyRanges);

/** All steps once more, each chunk from what the scan has put in the place of the one before. */
const replay = [
  bindings({
    sizes: ["batch", "time", "channels", "chunk", "chunks"],
    outputs: ["y", "nextState"],
    inputs: ["decay", "bonus", "key", "value", "state", "carries"],
  }),
  sums,
  readSums("readState", "state"),
  readSums("readCarry", "carries"),
  writeSums("writeNext", "nextState"),
  mainOfAll(`
  let runs = params.batch * params.chunks;
  if (id / params.channels >= runs) { return; }
  // The last chunks first: what the reduction read last may still be in the cache.
  let run = runs - 1u - id / params.channels;
  let channel = id % params.channels;
  let batch = run / params.chunks;
  let chunk = run % params.chunks;
  let w = decay[channel];
  let u = bonus[channel];
  let stateAt = 4u * batch * params.channels + channel;
  var past: Sums;
  if (chunk == 0u) {
    past = readState(stateAt);
  } else {
    past = readCarry(4u * (batch * (params.chunks - 1u) + chunk - 1u) * params.channels + channel);
  }
  let start = chunk * params.chunk;
  let count = min(params.chunk, params.time - start);
  let first = (batch * params.time + start) * params.channels + channel;
  ${walk(replayStep)}
  if (chunk == params.chunks - 1u) { writeNext(stateAt, past); }`),
].join("");

/** As the kernel `wkv`, in chunks of so many steps; there must be a step. */
export function wkvChunked(
  gpu: Gpu,
  y: GpuBlock,
  nextState: GpuBlock,
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
  const chunks = Math.ceil(time / chunk), reduced = chunks - 1;
  const few = reduced <= 4 * fewRanges;
  const tiles = Math.ceil(channels * (few ? fewRanges : manyRanges) / threads);
  gpu.withScratch(batch * reduced * 4 * channels, (carries) => {
    gpu.dispatch({
      code: reduce,
      outputs: [carries],
      inputs: [decay, key, value],
      sizes: [batch, time, channels, chunk, reduced],
      workgroups: groupsOfAll(batch * reduced * channels, gpu.limits),
    });
    gpu.dispatch({
      code: few ? scanOfFew : scanOfMany,
      outputs: [carries],
      inputs: [decay, state],
      sizes: [batch, channels, chunk, reduced, tiles],
      workgroups: inRows(batch * tiles, gpu.limits),
    });
    gpu.dispatch({
      code: replay,
      outputs: [y, nextState],
      inputs: [decay, bonus, key, value, state, carries],
      sizes: [batch, time, channels, chunk, chunks],
      workgroups: groupsOfAll(batch * chunks * channels, gpu.limits),
    });
  });
}
