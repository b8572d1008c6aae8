/**
 * The WKV scan in parallel over time. Combining the sums of adjacent runs of steps is associative, so time is split
 * into chunks: each is reduced to its sums, a scan of the sums gives the state before each chunk, and all chunks
 * are replayed from there.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings } from "../../backends/webgpu/wgsl.ts";
import { scanSums } from "./scan.ts";
import type { WkvArguments } from "./serial.ts";
import { addStep, groupsOfAll, mainOfAll, readSums, replayStep, sums, walk, writeSums } from "./walk.ts";

/**
 * The sums of all chunks but the last, `[batch, chunks - 1, 4, channels]`. The last one's are not needed, so every
 * chunk that is reduced is full.
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

/** The sums before a chunk: the state, or those that the scan stored in place of the previous chunk's. */
export const pastOfChunk = `
  var past: Sums;
  if (chunk == 0u) {
    past = readState(4u * batch * params.channels + channel);
  } else {
    past = readCarry(4u * (batch * (params.chunks - 1u) + chunk - 1u) * params.channels + channel);
  }`;

/** Replays all steps, each chunk from the sums that the scan stored for the previous one. */
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
  // The last chunks first: the steps that the reduction read last may still be in the cache.
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

/** The kernel `wkv` in chunks of `chunk` steps, for at least one step. */
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

/** The states after the first `reduced` chunks, `[batch, reduced, 4, channels]`, all of which are full. */
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
