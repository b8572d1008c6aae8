import { createReference, readFloat64, tensor } from "@seqmix/seqmix";
import type { Backend } from "@seqmix/seqmix";
import { run } from "../../src/compute.ts";
import { adamWOp } from "../../src/ops/adam_w/mod.ts";
import { adamW } from "../../src/ops/adam_w/reference.ts";
import { clipToNorm, norm } from "../../src/ops/clip/reference.ts";
import { randomSource } from "../../src/random.ts";
import { assertNear, normal, runKernel, testOnAll } from "../helpers.ts";
import { adamWCases, clipToNormCases, normCases } from "./cases/updates.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("adamW()", adamWCases);
runOnAll("norm()", normCases);
runOnAll("clipToNorm()", clipToNormCases);

Deno.test("the kernels of adamW, norm and clipToNorm write their outputs and nothing else", () => {
  const random = randomSource(1);
  const [param, grad, mean] = [normal(random, [5]).data, normal(random, [5]).data, normal(random, [5]).data];
  const variance = grad.map((g) => g ** 2);
  const overflows = new Float32Array(1), constants = [0.5, 0.9, 0.95, 1e-8, 0.1];
  const inputs = [overflows, param, grad, mean, variance, Float32Array.of(0.02), Float32Array.of(3)];
  runKernel(adamW, [5, 5, 5], inputs, [5, 0, ...constants]);
  const [five] = runKernel(norm, [1], [Float32Array.of(3, 4)], [2, 0, 1]);
  const [clipped] = runKernel(clipToNorm, [2], [Float32Array.of(3, 4), five], [2, 1, 1]);
  assertNear(clipped, [0.6, 0.8], 1e-6);
});

/** 1 - βᵗ without cancellation, by the bits of t: from t to 2t by c·(2 - c), and to t + 1 by 1 - β + β·c. */
function correction(beta: number, t: number): number {
  let c = 0;
  for (const bit of t.toString(2)) {
    c *= 2 - c;
    if (bit === "1") c = 1 - beta + beta * c;
  }
  return c;
}

/** The bias corrections of mean and variance, inferred from the update by a gradient of 1. */
async function correctionsOf(beta: number, t: number, backend: Backend): Promise<number[]> {
  const one = tensor([1], [1], backend),
    zero = tensor([0], [1], backend),
    overflows = tensor([0], [1], backend);
  const rate = tensor([1], [], backend), step = tensor([t], [], backend);
  const movedBy = async (beta1: number, beta2: number) => {
    const inputs = [overflows, zero, one, one, one, rate, step] as const;
    const [moved] = run(adamWOp, inputs, [0, 1, beta1, beta2, 1e-30, 0]);
    return -(await readFloat64(moved))[0];
  };
  const byMean = await movedBy(beta, 0), byVariance = await movedBy(0, beta);
  return [1 / byMean, byVariance ** 2];
}

const betas = [0, 0.5, 0.9, 0.95, 0.999, 0.99999];
const counts = [1, 2, 3, 7, 10, 33, 50, 69, 70, 347, 1000, 1e4, 34_657, 65_537, 1e6, 2 ** 24 - 1, 2 ** 24];

testOnAll("adamW() corrects for step t by 1 - βᵗ, to the last digits", async (backend) => {
  for (const beta of betas) {
    for (const t of counts) {
      const exact = correction(beta, t);
      assertNear(await correctionsOf(beta, t, backend), [exact, exact], 1e-6, `of ${beta} in step ${t}`);
    }
  }
});

Deno.test("adamW() of a float64 reference corrects in double precision", async () => {
  using backend = createReference({ precision: "float64" });
  for (const beta of betas) {
    for (const t of counts) {
      const exact = correction(beta, t);
      assertNear(await correctionsOf(beta, t, backend), [exact, exact], 1e-13, `of ${beta} in step ${t}`);
    }
  }
});
