/**
 * Rows of a table by their numbers, on a GPU, and their gradient.
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

/** Invocations of the gradient: 32 channels, and 8 times 32 ids at once. */
const threads = 256;
/** The most ids in a part; see {@linkcode iterationsAtOnce}. */
const longestPart = threads * Math.floor(iterationsAtOnce / (1 + iterationsOf(32)));
/** Workgroups that keep a large GPU busy. */
const manyGroups = 256;

/** See `embedding` in `mod.ts`. Rows are copied as bits. */
export function embeddingShader(): string {
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
 * The sum of gy over the places of an id, of 32 channels a workgroup and in parts. Which of ${threads} places at a time
 * are the id's is a bit each of 8 words; a channel has 8 invocations, each goes through the places of a word, and their
 * sums are added up at the end.
 */
export function embeddingBackwardShader(): string {
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
    // Summed up word by word: one row would lose its last bits beside the sum of thousands.
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

/** y[i] = weight[ids[i]]; an id that names no row gives NaN */
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

/** gWeight[id] = Σ gy[i] over the places i of the id; an id that names no row counts nowhere */
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
  // As many parts as a small table needs to fill a GPU, and as a software driver needs to come to their end.
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
