/**
 * The loss on a GPU: a workgroup a row, then one for the sum over the rows.
 *
 * @module
 */
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
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
} from "../../backends/webgpu/wgsl.ts";

/** Of each row the weighted loss and the weight, next to each other. */
export function rowLossShader(weighted: boolean, threads: number): string {
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
  // The largest are counted apart: beside the 1 of one of them, which ln(1 + x) adds, a small loss would be lost.
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
  // What is masked may be anything, NaN included.
  if (weight == 0.0 && !isNan(weight)) {
    losses[group] = vec2f();
    return;
  }
  let id = targets[group];
  let known = !isNan(id) && id >= 0.0 && id < f32(params.vocabulary) && floor(id) == id;
  var loss = nanOf(group);
  if (known && place > rankOfMinusInfinity && place < rankOfInfinity) {
    loss = logarithmOf1Plus(all.x - 1.0 + all.y) + (top - logits[start + u32(id)]);
  }
  losses[group] = vec2f(weight * loss, weight);`,
    );
}

/** The mean of all rows. */
export function meanShader(): string {
  return bindings({ sizes: ["rows"], outputs: ["loss"], inputs: ["losses: vec2f"] }) + nan +
    reduction("sum", "vec2f", 256, (a, b) => `${a} + ${b}`) +
    main(
      256,
      `var part = vec2f();
  for (var row = lane; row < params.rows; row += 256u) { part += losses[row]; }
  let total = sum(lane, part);
  if (lane == 0u) {
    if (total.x == 0.0 && total.y == 0.0) {
      loss[0] = nanOf(params.rows);
    } else {
      loss[0] = total.x / total.y;
    }
  }`,
    );
}

const rowCodeFor = forRows((threads) => rowLossShader(false, threads));
const weightedRowCodeFor = forRows((threads) => rowLossShader(true, threads));
const meanCode = meanShader();

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
