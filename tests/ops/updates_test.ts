import { adamW } from "../../src/ops/adam_w/reference.ts";
import { clipToNorm, norm } from "../../src/ops/clip/reference.ts";
import { randomSource } from "../../src/random.ts";
import { assertNear, normal, runKernel } from "../helpers.ts";
import { adamWCases, clipToNormCases, normCases } from "./cases/updates.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("adamW()", adamWCases);
runOnAll("norm()", normCases);
runOnAll("clipToNorm()", clipToNormCases);

Deno.test("the kernels of adamW, norm and clipToNorm write their outputs and nothing else", () => {
  const random = randomSource(1);
  const [param, grad, mean] = [normal(random, [5]).data, normal(random, [5]).data, normal(random, [5]).data];
  const variance = grad.map((g) => g ** 2);
  const overflows = new Float32Array(1), constants = [0.01, 0.9, 0.95, 1e-8, 0.1, 0.1, 0.05];
  runKernel(adamW, [5, 5, 5], [overflows, param, grad, mean, variance], [5, 0, ...constants]);
  const [five] = runKernel(norm, [1], [Float32Array.of(3, 4)], [2, 0, 1]);
  const [clipped] = runKernel(clipToNorm, [2], [Float32Array.of(3, 4), five], [2, 1, 1]);
  assertNear(clipped, [0.6, 0.8], 1e-6);
});
