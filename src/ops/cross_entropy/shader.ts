/**
 * The loss on a GPU: one workgroup for each row, then one for the sum over the rows. The gradient: the sum of the
 * weights, then one workgroup for each row.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { sumRows } from "../../backends/webgpu/sums.ts";
import {
  bindings,
  exponential,
  forRows,
  inRows,
  logarithm,
  main,
  nan,
  rank,
  reduction,
  units,
} from "../../backends/webgpu/wgsl.ts";

/** Whether an id is the index of a logit. */
const isKnown = "!isNan(id) && id >= 0.0 && id < f32(params.vocabulary) && floor(id) == id";

/** For each row the loss and the weight, adjacent. */
function rowLossShader(weighted: boolean, threads: number): string {
  return bindings({
    sizes: ["rows", "vocabulary"],
    outputs: ["losses: vec2f"],
    inputs: ["logits", "targets", ...weighted ? ["weights"] : []],
  }) + nan + rank + exponential + logarithm +
    reduction("largest", "u32", threads, (a, b) => `max(${a}, ${b})`) +
    reduction("sum", "vec2f", threads, (a, b) => `${a} + ${b}`) +
    main(
      threads,
      `if (group >= params.rows) { return; }
  let start = group * params.vocabulary;
  var place = 0u;
  for (var c = lane; c < params.vocabulary; c += ${threads}u) { place = max(place, rank(logits[start + c])); }
  place = largest(lane, place);
  let top = unrank(place);
  // The maxima are counted separately: ln(1 + x) adds the 1 of one of them, which would round away a small loss.
  var part = vec2f();
  for (var c = lane; c < params.vocabulary; c += ${threads}u) {
    let logit = logits[start + c];
    if (rank(logit) == place) {
      part.x += 1.0;
    } else {
      part.y += exponential(logit - top);
    }
  }
  let all = sum(lane, part);
  if (lane > 0u) { return; }

  let weight = ${weighted ? "weights[group]" : "1.0"};
  // Masked rows may hold any values, including NaN.
  if (weight == 0.0 && !isNan(weight)) {
    losses[group] = vec2f();
    return;
  }
  let id = targets[group];
  let known = ${isKnown};
  var loss = nanOf(group);
  if (known && place > rankOfMinusInfinity && place < rankOfInfinity) {
    loss = logarithmOf1Plus(all.x - 1.0 + all.y) + (top - logits[start + u32(id)]);
  }
  losses[group] = vec2f(loss, weight);`,
    );
}

/** The weighted mean over all rows. */
function meanShader(): string {
  return bindings({ sizes: ["rows"], outputs: ["loss"], inputs: ["losses: vec2f"] }) + nan + units +
    reduction("largest", "vec2u", 256, (a, b) => `max(${a}, ${b})`) +
    reduction("sum", "vec2f", 256, (a, b) => `${a} + ${b}`) +
    main(
      256,
      `// Scaled by the largest, since a loss times a weight may overflow where the mean does not.
  var bits = vec2u();
  for (var row = lane; row < params.rows; row += 256u) {
    bits = max(bits, bitcast<vec2u>(losses[row]) & vec2u(0x7fffffffu));
  }
  let most = bitcast<vec2f>(largest(lane, bits));
  let unit = vec2f(unitOf(most.x), unitOf(most.y));
  var part = vec2f();
  for (var row = lane; row < params.rows; row += 256u) {
    let all = losses[row] * vec2f(oneOver(unit.x), oneOver(unit.y));
    part += vec2f(all.x * all.y, all.y);
  }
  let total = sum(lane, part);
  if (lane == 0u) {
    if (total.x == 0.0 && total.y == 0.0) {
      loss[0] = nanOf(params.rows);
    } else {
      loss[0] = total.x / total.y * unit.x;
    }
  }`,
    );
}

/** See `crossEntropyBackward` below. */
function crossEntropyBackwardShader(weighted: boolean, threads: number): string {
  return bindings({
    sizes: ["rows", "vocabulary"],
    outputs: ["gLogits"],
    inputs: ["gLoss", "logits", "targets", ...weighted ? ["weights", "weightSum"] : []],
  }) + nan + rank + exponential +
    reduction("largest", "u32", threads, (a, b) => `max(${a}, ${b})`) +
    reduction("sum", "vec2f", threads, (a, b) => `${a} + ${b}`) +
    main(
      threads,
      `if (group >= params.rows) { return; }
  let start = group * params.vocabulary;
  let id = targets[group];
  let known = ${isKnown};
  var chosen = params.vocabulary;
  if (known) { chosen = u32(id); }
  var place = 0u;
  for (var c = lane; c < params.vocabulary; c += ${threads}u) { place = max(place, rank(logits[start + c])); }
  place = largest(lane, place);
  let top = unrank(place);
  // The target is summed separately: its share minus 1 is minus that of the others, however small.
  var part = vec2f();
  for (var c = lane; c < params.vocabulary; c += ${threads}u) {
    let e = exponential(logits[start + c] - top);
    part += select(vec2f(0.0, e), vec2f(e, 0.0), c == chosen);
  }
  let all = sum(lane, part);

  let weight = ${weighted ? "weights[group]" : "1.0"};
  let total = ${weighted ? "weightSum[0]" : "f32(params.rows)"};
  let nothing = total == 0.0 && !isNan(total);
  // Masked rows may hold any values, including NaN.
  let masked = weight == 0.0 && !isNan(weight);
  let exists = known && place > rankOfMinusInfinity && place < rankOfInfinity && !(masked && nothing);
  let scale = gLoss[0] * (weight / total) / (all.x + all.y);
  for (var c = lane; c < params.vocabulary; c += ${threads}u) {
    var gradient = nanOf(c);
    if (masked && !nothing) {
      gradient = 0.0;
    } else if (exists) {
      gradient = scale * select(exponential(logits[start + c] - top), -all.y, c == chosen);
    }
    gLogits[start + c] = gradient;
  }`,
    );
}

const rowCodeFor = forRows((threads) => rowLossShader(false, threads));
const weightedRowCodeFor = forRows((threads) => rowLossShader(true, threads));
const meanCode = meanShader();
const backwardCodeFor = forRows((threads) => crossEntropyBackwardShader(false, threads));
const weightedBackwardCodeFor = forRows((threads) => crossEntropyBackwardShader(true, threads));

/** loss = Σ weight·(log Σ e^logits - logits[target]) / Σ weight */
export function crossEntropy(
  gpu: Gpu,
  loss: GpuBlock,
  logits: GpuBlock,
  targets: GpuBlock,
  weights: GpuBlock | null,
  rows: number,
  vocabulary: number,
): void {
  gpu.withScratch(2 * rows, (losses) => {
    gpu.dispatch({
      code: (weights === null ? rowCodeFor : weightedRowCodeFor)(vocabulary),
      outputs: [losses],
      inputs: weights === null ? [logits, targets] : [logits, targets, weights],
      sizes: [rows, vocabulary],
      workgroups: inRows(rows, gpu.limits),
    });
    gpu.dispatch({ code: meanCode, outputs: [loss], inputs: [losses], sizes: [rows], workgroups: [1] });
  });
}

/** gLogits = gLoss · weight · (softmax(logits) - [i = target]) / Σ weight */
export function crossEntropyBackward(
  gpu: Gpu,
  gLogits: GpuBlock,
  gLoss: GpuBlock,
  logits: GpuBlock,
  targets: GpuBlock,
  weights: GpuBlock | null,
  rows: number,
  vocabulary: number,
): void {
  const run = (codeFor: (length: number) => string, inputs: readonly GpuBlock[]) =>
    gpu.dispatch({
      code: codeFor(vocabulary),
      outputs: [gLogits],
      inputs: [gLoss, logits, targets, ...inputs],
      sizes: [rows, vocabulary],
      workgroups: inRows(rows, gpu.limits),
    });
  if (weights === null) return run(backwardCodeFor, []);
  gpu.withScratch(1, (weightSum) => {
    sumRows(gpu, weightSum, [weights], rows, 1);
    run(weightedBackwardCodeFor, [weights, weightSum]);
  });
}
