/**
 * The WKV scan in parallel over time. Adding up runs of steps is associative, so time is cut into chunks: each is reduced
 * to its sums, the sums are scanned for the state that each chunk starts from, and all chunks are replayed from there.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings } from "../../backends/webgpu/wgsl.ts";
import { scanSums } from "./scan.ts";
import type { WkvArguments } from "./serial.ts";
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
  let w = finiteDecay(decay[channel]);
  let count = params.chunk;
  let start = run % params.reduced * params.chunk;
  let first = (run / params.reduced * params.time + start) * params.channels + channel;
  var past = noSums();
  ${walk(addStep)}
  writeCarry(4u * run * params.channels + channel, past);`),
].join("");

/** What there is before a chunk: the state, or what the scan has put in the place of the chunk before. */
export const pastOfChunk = `
  var past: Sums;
  if (chunk == 0u) {
    past = readState(4u * batch * params.channels + channel);
  } else {
    past = readCarry(4u * (batch * (params.chunks - 1u) + chunk - 1u) * params.channels + channel);
  }`;

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
  let w = finiteDecay(decay[channel]);
  let u = bonus[channel];
  ${pastOfChunk}
  let start = chunk * params.chunk;
  let count = min(params.chunk, params.time - start);
  let first = (batch * params.time + start) * params.channels + channel;
  ${walk(replayStep)}
  if (chunk == params.chunks - 1u) { writeNext(4u * batch * params.channels + channel, past); }`),
].join("");

/** As the kernel `wkv`, in chunks of so many steps; there must be a step. */
export function wkvChunked(gpu: Gpu, ...args: [...WkvArguments, chunk: number]): void {
  const [y, nextState, decay, bonus, key, value, state, batch, time, channels, chunk] = args;
  const chunks = Math.ceil(time / chunk), reduced = chunks - 1;
  gpu.withScratch(batch * reduced * 4 * channels, (carries) => {
    wkvCarries(gpu, carries, decay, key, value, state, batch, time, channels, chunk, reduced);
    gpu.dispatch({
      code: replay,
      outputs: [y, nextState],
      inputs: [decay, bonus, key, value, state, carries],
      sizes: [batch, time, channels, chunk, chunks],
      workgroups: groupsOfAll(batch * chunks * channels, gpu.limits),
    });
  });
}

/** The states behind the first chunks, as many as are to be reduced, `[batch, reduced, 4, channels]`; all of them are whole. */
export function wkvCarries(
  gpu: Gpu,
  carries: GpuBlock,
  decay: GpuBlock,
  key: GpuBlock,
  value: GpuBlock,
  state: GpuBlock,
  batch: number,
  time: number,
  channels: number,
  chunk: number,
  reduced: number,
): void {
  if (reduced === 0) return;
  gpu.dispatch({
    code: reduce,
    outputs: [carries],
    inputs: [decay, key, value],
    sizes: [batch, time, channels, chunk, reduced],
    workgroups: groupsOfAll(batch * reduced * channels, gpu.limits),
  });
  scanSums(gpu, carries, decay, state, batch, channels, chunk, reduced);
}
