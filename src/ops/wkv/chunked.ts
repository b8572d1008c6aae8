/**
 * The WKV scan in parallel over time. Adding up runs of steps is associative, so time is cut into chunks: each is reduced to
 * its sums, the sums are scanned for the state that each chunk starts from, and all chunks are replayed from there.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { addStep, inRows, main, readSums, replayStep, sums, walk, workgroupsFor, writeSums } from "./walk.ts";

/**
 * The sums of all chunks but the last: `[batch, chunks - 1, 4, channels]`. Nothing comes behind the last, so every chunk
 * that is reduced is whole.
 */
const reduce = `
struct Params { batch: u32, time: u32, channels: u32, chunk: u32, reduced: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> carries: array<f32>;
@group(0) @binding(2) var<storage, read> decay: array<f32>;
@group(0) @binding(3) var<storage, read> key: array<f32>;
@group(0) @binding(4) var<storage, read> value: array<f32>;
${sums}${writeSums("writeCarry", "carries")}
${main}
  let run = id / params.channels;
  let channel = id % params.channels;
  if (run >= params.batch * params.reduced) { return; }
  let w = decay[channel];
  let start = run % params.reduced * params.chunk;
  let count = params.chunk;
  let first = (run / params.reduced * params.time + start) * params.channels + channel;
  var past = noSums();
  ${walk(addStep)}
  writeCarry(4u * run * params.channels + channel, past);
}
`;

/** Channels and ranges of chunks that a workgroup of the scan works on. */
const lanes = 8, ranges = 32;

/**
 * Puts in the place of each chunk's sums those of everything up to it, the state before the first step included. A range
 * of chunks is one invocation's: it adds up its chunks, all ranges of a channel are scanned in doubling steps, and each
 * then goes through its chunks again from what came before.
 */
const scan = `
struct Params { batch: u32, channels: u32, chunk: u32, reduced: u32, tiles: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> carries: array<f32>;
@group(0) @binding(2) var<storage, read> decay: array<f32>;
@group(0) @binding(3) var<storage, read> state: array<f32>;
var<workgroup> scanned: array<Sums, ${lanes * ranges}>;
${sums}${readSums("readState", "state")}${readSums("readCarry", "carries")}${
  writeSums("writeCarry", "carries")
}
@compute @workgroup_size(${lanes}, ${ranges})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let tile = group.y * groups.x + group.x;
  let batch = min(tile / params.tiles, params.batch - 1u);
  // Whoever has no channel goes along, for the barriers, and does nothing.
  let channel = tile % params.tiles * ${lanes}u + local.x;
  let inside = tile < params.batch * params.tiles && channel < params.channels;
  let w = decay[min(channel, params.channels - 1u)];
  let steps = f32(params.chunk);
  let range = local.y;
  let length = (params.reduced + ${ranges - 1}u) / ${ranges}u;
  let first = min(range * length, params.reduced);
  let end = min(first + length, params.reduced);
  let own = range * ${lanes}u + local.x;
  let firstAt = 4u * (batch * params.reduced + first) * params.channels + channel;
  let chunks = select(0u, end - first, inside);

  var past = noSums();
  if (range == 0u && inside) { past = readState(4u * batch * params.channels + channel); }
  let before = past;
  var at = firstAt;
  for (var left = chunks; left > 0u; left--) {
    past = extend(past, readCarry(at), steps, w);
    at += 4u * params.channels;
  }
  scanned[own] = past;
  workgroupBarrier();
  for (var reach = 1u; reach < ${ranges}u; reach *= 2u) {
    if (range >= reach) {
      // These sums reach over this range and those before it down to the one that follows the other's.
      let since = min((range + 1u - reach) * length, params.reduced);
      past = extend(scanned[own - reach * ${lanes}u], past, f32((end - since) * params.chunk), w);
    }
    workgroupBarrier();
    scanned[own] = past;
    workgroupBarrier();
  }

  past = before;
  if (range > 0u) { past = scanned[own - ${lanes}u]; }
  at = firstAt;
  for (var left = chunks; left > 0u; left--) {
    past = extend(past, readCarry(at), steps, w);
    writeCarry(at, past);
    at += 4u * params.channels;
  }
}
`;

const replay = `
struct Params { batch: u32, time: u32, channels: u32, chunk: u32, chunks: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> nextState: array<f32>;
@group(0) @binding(3) var<storage, read> decay: array<f32>;
@group(0) @binding(4) var<storage, read> bonus: array<f32>;
@group(0) @binding(5) var<storage, read> key: array<f32>;
@group(0) @binding(6) var<storage, read> value: array<f32>;
@group(0) @binding(7) var<storage, read> state: array<f32>;
@group(0) @binding(8) var<storage, read> carries: array<f32>;
${sums}${readSums("readState", "state")}${readSums("readCarry", "carries")}${
  writeSums("writeNext", "nextState")
}
${main}
  // The last chunks first: what the reduction read last may still be in the cache.
  let run = params.batch * params.chunks - 1u - id / params.channels;
  let channel = id % params.channels;
  if (id / params.channels >= params.batch * params.chunks) { return; }
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
  if (chunk == params.chunks - 1u) { writeNext(stateAt, past); }
}
`;

/** As the kernel `wkv`, in chunks of so many steps; there must be more than one. */
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
  const tiles = Math.ceil(channels / lanes);
  gpu.withScratch(batch * reduced * 4 * channels, (carries) => {
    gpu.dispatch({
      code: reduce,
      outputs: [carries],
      inputs: [decay, key, value],
      sizes: [batch, time, channels, chunk, reduced],
      workgroups: workgroupsFor(batch * reduced * channels, gpu.limits),
    });
    gpu.dispatch({
      code: scan,
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
      workgroups: workgroupsFor(batch * chunks * channels, gpu.limits),
    });
  });
}
