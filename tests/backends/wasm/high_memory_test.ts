/**
 * Kernels on tensors around address 2³¹ and near the end of a full memory: addresses that are treated as signed, or
 * exceed 2³², would show. Untouched memory costs nothing.
 */
import {
  type AnyLanguageModel,
  type Backend,
  createReference,
  createWasm,
  put,
  readFloat64,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import { engineOf } from "../../../src/engine.ts";
import { vjp } from "../../../src/autodiff/mod.ts";
import { blockSize, sizeClass, sizeOfClass } from "../../../src/backends/block_size.ts";
import { crossEntropy } from "../../../src/ops/cross_entropy/mod.ts";
import { randomSource } from "../../../src/random.ts";
import { tensorsOf } from "../../../src/tree.ts";
import { assertNear, normal } from "../../helpers.ts";
import { models } from "../../mixers.ts";
import { tables } from "../../ops/cases/mod.ts";
import { sampleCases } from "../../ops/cases/sample.ts";
import { adamWCases, clipToNormCases, normCases } from "../../ops/cases/updates.ts";
import { assertLikeReference, type Case } from "../../ops/run_on_all.ts";
import { builds } from "./kernel_memory.ts";

const withoutGradient: Record<string, readonly Case[]> = {
  adamW: adamWCases,
  clipToNorm: clipToNormCases,
  sample: sampleCases,
  norm: normCases,
};

/** Above all addresses. */
const nearTheEnd = 2 ** 32 - 2 ** 25;

/**
 * Where the inputs of a case start, so that 2³¹ is in the middle of the largest of them, or in an output after them.
 * If addresses were signed, the first address of such an array would be larger than its last.
 */
function placesOf(subject: Case): number[] {
  const sizes = subject.inputs(randomSource(1)).map(({ data }) => data.byteLength);
  const largest = Math.max(...sizes), middle = 64 * Math.floor(largest / 128);
  const before = (count: number) => sizes.slice(0, count).reduce((sum, bytes) => sum + blockSize(bytes), 0);
  return [before(sizes.indexOf(largest)), before(sizes.length)].map((bytes) => 2 ** 31 - bytes - middle);
}

/** A backend whose memory below an address is all in use. */
async function filledUpTo(address: number): Promise<Backend> {
  const [{ name, kernels }] = builds;
  const backend = await createWasm({ simd: name as "relaxed" });
  let left = address - 64 * Math.ceil(kernels.exports.__heap_base.value / 64);
  while (left > 0) {
    let number = sizeClass(blockSize(left));
    while (sizeOfClass(number) > left) number--;
    engineOf(backend).reserveTime(1, sizeOfClass(number) / 4, 1);
    left -= sizeOfClass(number);
  }
  return backend;
}

/** The elements of a case's tensors. */
function sizeOfInputs(subject: Case): number {
  return subject.inputs(randomSource(1)).reduce((sum, { data }) => sum + data.length, 0);
}

/**
 * Some cases that cover all loops of a kernel and are fast; one build suffices, since builds differ in no address.
 */
function fewOf(cases: readonly Case[]): Case[] {
  return cases.filter((subject) => isFinite(subject) && sizeOfInputs(subject) < 2 ** 16)
    .toSorted((a, b) => sizeOfInputs(b) - sizeOfInputs(a)).slice(0, 2);
}

Deno.test("createWasm() computes and differentiates anywhere in 4 GiB like the float64 reference", async (t) => {
  for (const [symbol, cases] of Object.entries({ ...tables, ...withoutGradient })) {
    await t.step(symbol, async () => {
      for (const [i, subject] of fewOf(cases).entries()) {
        for (const address of [...placesOf(subject), ...i === 0 ? [nearTheEnd] : []]) {
          using backend = await filledUpTo(address);
          await assertLikeReference(subject, 1, backend);
          if (symbol in withoutGradient) continue;
          using exact = createReference({ precision: "float64" });
          const expected = await gradientsOf(subject, exact), actual = await gradientsOf(subject, backend);
          expected.forEach((grad, i) =>
            assertNear(actual[i], grad, 1e-4, `gradient ${i} of ${subject.name}`)
          );
        }
      }
    });
  }
});

Deno.test("createWasm() runs and trains models anywhere in 4 GiB like the float64 reference", async (t) => {
  for (const { name, model, make } of models) {
    await t.step(name, async () => {
      using exact = createReference({ precision: "float64" });
      const expected = await resultsOf(model, make(1), exact);
      for (const address of [2 ** 31 - 2048, 2 ** 31 - 2 ** 14, nearTheEnd]) {
        using backend = await filledUpTo(address);
        const actual = await resultsOf(model, make(1), backend);
        expected.forEach((wanted, i) => assertNear(actual[i], wanted, 1e-4, `result ${i}`));
      }
    });
  }
});

/** A loss, its gradients, and the logits after many steps. */
async function resultsOf(model: AnyLanguageModel, own: unknown, backend: Backend): Promise<Float64Array[]> {
  const params = await put(own, backend);
  let state = model.initialState(params);
  for (let i = 0; i < 60; i++) state = backend.scope(() => model.forward(params, [[i % 3]], state).state);
  const { logits } = model.forward(params, [[1]], state);
  const tokens = [[1, 2, 0, 1, 2], [2, 1, 1, 0, 2]];
  const { value, grads } = valueAndGrad((params: unknown) => {
    const { logits } = model.forward(params, tokens, model.initialState(params, 2));
    return crossEntropy(logits, tokens);
  }, params);
  return await Promise.all(tensorsOf([logits, value, grads]).map(readFloat64));
}

/** Whether the gradients are compared as well. */
function isFinite(subject: Case): boolean {
  return subject.nan === undefined &&
    subject.inputs(randomSource(1)).every(({ data }) => data.every(Number.isFinite));
}

async function gradientsOf(subject: Case, backend: Backend): Promise<Float64Array[]> {
  const tensors = subject.inputs(randomSource(1)).map(({ data, shape }) => tensor(data, shape, backend));
  const isConstant = (i: number) => subject.constants?.includes(i) ?? false;
  const seeds = backend.scope(() => subject.run(tensors).map(({ shape }) => shape))
    .map((shape, i) => tensor(normal(randomSource(1, i), shape).data, shape, backend));
  const { values, grads } = vjp(
    (params: (typeof tensors[number])[]) => {
      let next = 0;
      return subject.run(tensors.map((t, i) => isConstant(i) ? t : params[next++]));
    },
    tensors.filter((_, i) => !isConstant(i)),
    seeds,
  );
  const numbers = await Promise.all(grads.map(readFloat64));
  backend.free([tensors, seeds, values, grads]);
  return numbers;
}
