/**
 * Lookup of a table's rows on a GPU, and its gradient.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { sumRows } from "../../backends/webgpu/sums.ts";
import {
  bindings,
  each,
  inRows,
  iterationsAtOnce,
  iterationsOf,
  main,
  nan,
  runEach,
} from "../../backends/webgpu/wgsl.ts";

/** The size of the gradient's workgroups: 32 channels, and 8 times 32 ids at a time. */
const threads = 256;
/** The most ids in a part; see {@linkcode iterationsAtOnce}. */
const longestPart = threads * Math.floor(iterationsAtOnce / (1 + iterationsOf(32)));
/** The number of workgroups that keeps a large GPU busy. */
const manyGroups = 256;

/** See `embedding` in `mod.ts`. Rows are copied as bits. */
function embeddingShader(): string {
  return bindings({
    sizes: ["size", "vocabulary", "channels"],
    outputs: ["y: u32"],
    inputs: ["ids", "weight: u32"],
  }) + nan + each(`let id = ids[i / params.channels];
  let known = !isNan(id) && id >= 0.0 && id < f32(params.vocabulary) && floor(id) == id;
  if (known) {
    y[i] = weight[u32(id) * params.channels + i % params.channels];
  } else {
    y[i] = 0x7fc00000u;
  }`);
}

/**
 * The sum of gy over the occurrences of an id. A workgroup sums 32 channels of a part of the ids. It tests 256 ids
 * at a time and sets a bit in 8 words for each match; each of a channel's 8 invocations sums the matches of a word,
 * and these sums are added at the end.
 */
function embeddingBackwardShader(): string {
  return `${
    bindings({
      sizes: ["count", "vocabulary", "channels", "range", "parts"],
      outputs: ["gWeight"],
      inputs: ["gy", "ids"],
    })
  }
var<workgroup> found: array<atomic<u32>, 8>;
var<workgroup> sums: array<f32, ${threads}>;
` + main(
    threads,
    `let tiles = (params.channels + 31u) / 32u;
  let row = group / tiles;
  if (row >= params.parts * params.vocabulary) { return; }
  let id = f32(row % params.vocabulary);
  let channel = group % tiles * 32u + lane % 32u;
  let word = lane / 32u;
  let inside = channel < params.channels;
  let start = row / params.vocabulary * params.range;
  let end = min(params.count, start + params.range);
  var sum = 0.0;
  for (var first = start; first < end; first += ${threads}u) {
    if (lane < 8u) { atomicStore(&found[lane], 0u); }
    workgroupBarrier();
    let place = first + lane;
    if (place < end && ids[min(place, params.count - 1u)] == id) { atomicOr(&found[word], 1u << (lane % 32u)); }
    workgroupBarrier();
    var left = select(0u, atomicLoad(&found[word]), inside);
    workgroupBarrier();
    // Sum each word separately: adding to a sum of thousands would round a single row.
    var part = 0.0;
    while (left != 0u) {
      part += gy[(first + 32u * word + firstTrailingBit(left)) * params.channels + channel];
      left &= left - 1u;
    }
    sum += part;
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane < 32u && inside) {
    var total = 0.0;
    for (var i = lane; i < ${threads}u; i += 32u) { total += sums[i]; }
    gWeight[row * params.channels + channel] = total;
  }`,
  );
}

const code = embeddingShader();
const backwardCode = embeddingBackwardShader();

/** y[i] = weight[ids[i]]; NaN for an id without a row */
export function embedding(
  gpu: Gpu,
  y: GpuBlock,
  ids: GpuBlock,
  weight: GpuBlock,
  count: number,
  vocabulary: number,
  channels: number,
): void {
  const size = count * channels;
  runEach(gpu, code, [y], [ids, weight], [size, vocabulary, channels]);
}

/** gWeight[id] = Σ gy[i] over all i with ids[i] = id; an id without a row is ignored */
export function embeddingBackward(
  gpu: Gpu,
  gWeight: GpuBlock,
  gy: GpuBlock,
  ids: GpuBlock,
  count: number,
  vocabulary: number,
  channels: number,
): void {
  const groups = vocabulary * Math.ceil(channels / 32);
  // Enough parts for a small table to fill a GPU, and for a software driver's limit on iterations.
  const parts = Math.max(
    1,
    Math.min(Math.ceil(manyGroups / groups), Math.floor(count / threads)),
    Math.ceil(count / longestPart),
  );
  const sumTo = (sums: GpuBlock) =>
    gpu.dispatch({
      code: backwardCode,
      outputs: [sums],
      inputs: [gy, ids],
      sizes: [count, vocabulary, channels, Math.ceil(count / parts), parts],
      workgroups: inRows(parts * groups, gpu.limits),
    });
  if (parts === 1) return sumTo(gWeight);
  const size = vocabulary * channels;
  gpu.withScratch(parts * size, (sums) => {
    sumTo(sums);
    sumRows(gpu, gWeight, [sums], parts, size);
  });
}
