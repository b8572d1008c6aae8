/**
 * Draws the next token on a GPU, with a workgroup for each row. Top-k and top-p find the rank of the least logit
 * that they keep two bits at a time, without sorting: each pass over the row tests three candidates.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import {
  bindings,
  exponential,
  forRows,
  inRows,
  iterationsAtOnce,
  iterationsOf,
  logarithm,
  main,
  nan,
  pcg4dCode,
  rank,
  reduction,
} from "../../backends/webgpu/wgsl.ts";

/** The number of digits of a rank, of two bits each. */
const digits = 16;

function largest(threads: number): string {
  return reduction("largest", "u32", threads, (a, b) => `max(${a}, ${b})`);
}

/** The rank of a row's largest logit. */
function findTop(threads: number): string {
  return `var place = 0u;
  for (var i = lane; i < params.vocabulary; i += ${threads}u) { place = max(place, rank(logits[start + i])); }
  let topPlace = largest(lane, place);
  let top = unrank(topPlace);`;
}

/**
 * Determines digits of a rank `least`. Each takes a pass over the row, which sums `part` and compares it with
 * `enough`.
 */
function search(threads: number, type: string, add: string): string {
  return `for (var digit = params.digit; digit < params.endDigit; digit++) {
    let unit = 0x40000000u >> (2u * digit);
    let candidates = least + unit * vec3u(1u, 2u, 3u);
    var part = ${type}();
    for (var i = lane; i < params.vocabulary; i += ${threads}u) {
      let logit = logits[start + i];
      let kept = vec3u(rank(logit)) >= candidates;
      ${add}
    }
    let reached = sums(lane, part) >= ${type}(enough);
    least += unit * (u32(reached.x) + u32(reached.y) + u32(reached.z));
  }`;
}

/** For each row the rank of the k-th largest logit: the largest rank that k logits reach. */
function topKShader(threads: number): string {
  return bindings({
    sizes: ["rows", "vocabulary", "topK", "digit", "endDigit"],
    outputs: ["leasts: u32"],
    inputs: ["logits"],
  }) + nan + rank + reduction("sums", "vec3u", threads, (a, b) => `${a} + ${b}`) +
    main(
      threads,
      `if (group >= params.rows) { return; }
  let start = group * params.vocabulary;
  let enough = params.topK;
  var least = 0u;
  if (params.digit > 0u) { least = leasts[group]; }
  ${search(threads, "vec3u", "part += vec3u(kept);")}
  if (lane == 0u) { leasts[group] = least; }`,
    );
}

/**
 * For each row the largest rank such that the logits of at least that rank have the share topP of all that top-k
 * keeps.
 */
function topPShader(threads: number): string {
  return bindings({
    sizes: ["rows", "vocabulary", "topK", "digit", "endDigit"],
    constants: ["topP", "inverseTemperature"],
    outputs: ["leasts: u32"],
    inputs: ["logits"],
  }) + nan + rank + exponential + largest(threads) +
    reduction("sums", "vec3f", threads, (a, b) => `${a} + ${b}`) +
    main(
      threads,
      `if (group >= params.rows) { return; }
  let start = group * params.vocabulary;
  ${findTop(threads)}
  // The result of top-k is in the first half.
  var lowest = 0u;
  if (params.topK > 0u) { lowest = leasts[group]; }
  var all = 0.0;
  for (var i = lane; i < params.vocabulary; i += ${threads}u) {
    let logit = logits[start + i];
    if (rank(logit) >= lowest) { all += exponential((logit - top) * params.inverseTemperature); }
  }
  let enough = params.topP * sums(lane, vec3f(all)).x;
  var least = 0u;
  if (params.digit > 0u) { least = leasts[params.rows + group]; }
  ${
        search(
          threads,
          "vec3f",
          `if (rank(logit) >= lowest) {
        part += vec3f(kept) * exponential((logit - top) * params.inverseTemperature);
      }`,
        )
      }
  if (lane == 0u) { leasts[params.rows + group] = least; }`,
    );
}

/**
 * Draws ids from all logits, or from those of at least the rank in a half of `leasts`. The index of the draw is
 * base + step.
 */
function drawShader(stepped: boolean, threads: number): string {
  return bindings({
    sizes: ["rows", "vocabulary", "seed", "base", "greedy", "half"],
    constants: ["inverseTemperature"],
    outputs: ["ids"],
    inputs: ["logits", "leasts: u32", ...stepped ? ["step"] : []],
  }) + nan + rank + logarithm + largest(threads) +
    // The larger score; of equal ones the lower id.
    reduction(
      "best",
      "vec2u",
      threads,
      (a, b) => `select(${a}, ${b}, ${b}.x > ${a}.x || (${b}.x == ${a}.x && ${b}.y < ${a}.y))`,
    ) + pcg4dCode + `
// Gumbel noise, -ln(-ln u), with u between 0 and 1, of 24 bits.
fn gumbel(row: u32, id: u32) -> f32 {
  let hash = pcg4d(vec4u(params.seed, ${stepped ? "params.base + u32(step[0])" : "params.base"}, row, id));
  let u = (f32(hash >> 9u) + 0.5) * ${2 ** -23};
  return -logarithm(-logarithm(u));
}
` +
    main(
      threads,
      `if (group >= params.rows) { return; }
  let start = group * params.vocabulary;
  ${findTop(threads)}
  // An infinite logit is larger than any other, with or without noise.
  let greedy = params.greedy == 1u || topPlace >= rankOfInfinity || topPlace == rankOfMinusInfinity;
  // Half 0 means that all logits are kept.
  var least = 0u;
  if (params.half > 0u) { least = leasts[(params.half - 1u) * params.rows + group]; }
  var mine = vec2u(0u, 0xffffffffu);
  for (var i = lane; i < params.vocabulary; i += ${threads}u) {
    let logit = logits[start + i];
    var score = rank(logit);
    if (score < least) { continue; }
    // The difference from the largest is exact where it is small, and finite at any temperature.
    if (!greedy) { score = rank((logit - top) * params.inverseTemperature + gumbel(group, i)); }
    if (score > mine.x) { mine = vec2u(score, i); }
  }
  let chosen = best(lane, mine).y;
  if (lane == 0u) {
    if (topPlace == rankOfNan) {
      ids[group] = nanOf(chosen);
    } else {
      ids[group] = f32(chosen);
    }
  }`,
    );
}

const topKCodeFor = forRows(topKShader);
const topPCodeFor = forRows(topPShader);
const drawCodeFor = forRows((threads) => drawShader(false, threads));
const steppedDrawCodeFor = forRows((threads) => drawShader(true, threads));

/** ids = argmax(logits / temperature + Gumbel noise) over the logits that top-k and top-p keep, row by row */
export function sample(
  gpu: Gpu,
  ids: GpuBlock,
  logits: GpuBlock,
  step: GpuBlock | null,
  rows: number,
  vocabulary: number,
  temperature: number,
  topK: number,
  topP: number,
  seed: number,
  base: number,
): void {
  const greedy = temperature === 0 || topK === 1;
  const workgroups = inRows(rows, gpu.limits);
  // Clamped to be finite and positive in single precision, as is the share.
  const inverseTemperature = Math.min(Math.max(1 / temperature, 1e-37), 1e37);
  const cutsK = !greedy && topK > 0 && topK < vocabulary, cutsP = !greedy && topP < 1;
  // A pass is a loop over the row and one over the halves of the workgroup. Besides the digits, top-p takes two
  // passes.
  const iterationsOfPass = 1 + iterationsOf(Math.ceil(vocabulary / 256)) + iterationsOf(8);
  const digitsAtOnce = Math.max(1, Math.floor(iterationsAtOnce / iterationsOfPass) - 2);
  gpu.withScratch(2 * rows, (leasts) => {
    const find = (code: string, constants: number[]) => {
      for (let digit = 0; digit < digits; digit += digitsAtOnce) {
        const end = Math.min(digits, digit + digitsAtOnce);
        const sizes = [rows, vocabulary, cutsK ? topK : 0, digit, end];
        gpu.dispatch({ code, outputs: [leasts], inputs: [logits], sizes, constants, workgroups });
      }
    };
    if (cutsK) find(topKCodeFor(vocabulary), []);
    if (cutsP) find(topPCodeFor(vocabulary), [Math.max(topP, 1e-30), inverseTemperature]);
    gpu.dispatch({
      code: (step === null ? drawCodeFor : steppedDrawCodeFor)(vocabulary),
      outputs: [ids],
      inputs: step === null ? [logits, leasts] : [logits, leasts, step],
      sizes: [rows, vocabulary, seed, base, Number(greedy), cutsP ? 2 : cutsK ? 1 : 0],
      constants: [inverseTemperature],
      workgroups,
    });
  });
}
