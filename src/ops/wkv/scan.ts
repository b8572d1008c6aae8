/**
 * The scan of the sums of chunks: forward over the sums themselves, and backwards over their adjoints.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings, inRows, main } from "../../backends/webgpu/wgsl.ts";
import { readSums, sums, writeSums } from "./walk.ts";

/** Invocations in a workgroup of the scan. */
const threads = 256;

/**
 * Replaces each chunk's sums by those of everything up to its end. The chunks of a channel are split into ranges,
 * with an invocation for each: it sums its chunks, the ranges are scanned in doubling steps, and each invocation
 * then scans its chunks from the sums before them. A workgroup covers all ranges of some channels that are adjacent
 * in memory.
 */
function scan(ranges: number, fromState: boolean): string {
  const tile = threads / ranges;
  return [
    bindings({
      sizes: ["batch", "channels", "chunk", "reduced", "tiles"],
      outputs: ["carries"],
      inputs: fromState ? ["decay", "state"] : ["decay"],
    }),
    sums,
    fromState ? readSums("readState", "state") : "",
    readSums("readCarry", "carries"),
    writeSums("writeCarry", "carries"),
    `var<workgroup> scanned: array<Sums, ${threads}>;`,
    main(
      threads,
      `
  let batch = group / params.tiles;
  let channel = group % params.tiles * ${tile}u + lane % ${tile}u;
  let range = lane / ${tile}u;
  // Invocations without a channel have no chunks, but must reach the barriers.
  let inside = batch < params.batch && channel < params.channels;
  let length = (params.reduced + ${ranges - 1}u) / ${ranges}u;
  let first = min(range * length, params.reduced);
  let end = min(first + length, params.reduced);
  let chunks = select(0u, end - first, inside);
  let firstAt = 4u * (batch * params.reduced + first) * params.channels + channel;
  let steps = f32(params.chunk);
  var w = -1.0;
  var past = noSums();
  if (inside) { w = finiteDecay(decay[channel]); }
  ${
        fromState
          ? "if (inside && range == 0u) { past = readState(4u * batch * params.channels + channel); }"
          : ""
      }
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
      // These sums cover the steps from the end of the range of the earlier sums.
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

/** With few chunks, the channels fill the device. */
const fewRanges = 8, manyRanges = 32;
const scanOfFew = scan(fewRanges, true), scanOfMany = scan(manyRanges, true);
const scanOfFewAlone = scan(fewRanges, false), scanOfManyAlone = scan(manyRanges, false);

/**
 * Replaces the sums of each chunk, `[batch, reduced, 4, channels]`, by those of everything up to its end.
 *
 * @param state the state before the first chunk; null if there is none
 * @param chunk the number of steps in every chunk
 */
export function scanSums(
  gpu: Gpu,
  carries: GpuBlock,
  decay: GpuBlock,
  state: GpuBlock | null,
  batch: number,
  channels: number,
  chunk: number,
  reduced: number,
): void {
  const few = reduced <= 4 * fewRanges;
  const tiles = Math.ceil(channels * (few ? fewRanges : manyRanges) / threads);
  const [codeOfFew, codeOfMany] = state === null
    ? [scanOfFewAlone, scanOfManyAlone]
    : [scanOfFew, scanOfMany];
  gpu.dispatch({
    code: few ? codeOfFew : codeOfMany,
    outputs: [carries],
    inputs: state === null ? [decay] : [decay, state],
    sizes: [batch, channels, chunk, reduced, tiles],
    workgroups: inRows(batch * tiles, gpu.limits),
  });
}
