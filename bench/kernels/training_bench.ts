/**
 * The speed of training, for `deno bench -A bench/kernels/training_bench.ts`: a group for each stage of a step,
 * preset and backend.
 *
 * - `forward`: the loss of 8 sequences of 125 tokens.
 * - `forward and backward`: with the gradients of all parameters.
 * - `whole step`: with clipping and AdamW.
 *
 * A run processes 1,000 tokens, so that iterations per second are thousands of tokens per second. Before timing,
 * losses and gradients of two sequences are compared with the reference's. WebGPU is skipped, with a message on
 * stderr, if the adapter is a software driver. `deno task peers` times larger batches, next to PyTorch.
 *
 * @module
 */
import {
  adamW,
  type Backend,
  compile,
  createReference,
  createWasm,
  createWebGpu,
  crossEntropy,
  motifTask,
  sampleSequences,
} from "@seqmix/seqmix";
import { describeAdapter, isSoftware, requestAdapter } from "../../src/backends/webgpu/adapter.ts";
import { type Batch, batchOf, tokensOf } from "../../src/models/batches.ts";
import { batchGradient, partGradient } from "../../src/train/batch_gradient.ts";
import { ravel } from "../../src/train/ravel.ts";
import { languageLoss } from "../../src/train/language_objective.ts";
import { trainingStep } from "../../src/train/step.ts";
import { parameterCount, tensorsOf } from "../../src/tree.ts";
import {
  checkLogits,
  labelOf,
  makeSubject,
  modelNames,
  type PresetName,
  settle,
  type Subject,
} from "../measure/subjects.ts";

const sequences = sampleSequences(motifTask({}, 1), { count: 8, length: 126, seed: 2 });
const batch = batchOf(sequences, { indices: [...sequences.keys()], length: sequences[0].length });
/** Two of them, for the check: with all, it would take longer than the timing. */
const part = batchOf(sequences, { indices: [0, 1], length: sequences[0].length });

/** The number of timed runs of each preset on a backend. */
interface Timed {
  readonly backend: Backend;
  readonly runs: Readonly<Partial<Record<PresetName, number>>>;
}

const reference = createReference();
const timed: Timed[] = [
  { backend: await createWasm(), runs: { matched: 6, article: 3 } },
  { backend: reference, runs: { matched: 2 } },
  ...await realGpu(),
];

async function realGpu(): Promise<Timed[]> {
  try {
    const { info } = await requestAdapter();
    if (!isSoftware(info)) return [{ backend: await createWebGpu(), runs: { matched: 10, article: 10 } }];
    console.error(
      `Training on webgpu is left out: its adapter must be a GPU, current one is ${describeAdapter(info)}`,
    );
  } catch (error) {
    console.error(`Training on webgpu is left out: ${error instanceof Error ? error.message : error}`);
  }
  return [];
}

/** The stages of a step. Each ends when its last result is in host memory, and frees its results. */
function stagesOf({ model, params, backend }: Subject) {
  const optimizer = adamW.init(params), objective = { ...languageLoss(model), lengthOf: tokensOf };
  const gradient = partGradient(objective), step = trainingStep(objective, backend, {}, 1, null);
  const forward = compile((params: unknown, inputs: Batch["inputs"], targets: Batch["targets"]) => {
    const { logits } = model.forward(params, inputs, model.initialState(params, batch.inputs.length));
    return crossEntropy(logits, targets);
  });
  /** Waits for the last result, and so for all commands of a GPU before it. */
  const finish = (results: unknown) => {
    const made = tensorsOf(results);
    const last = made.pop()!;
    backend.free(made);
    return settle(last);
  };
  return {
    forward: async () => await finish(forward(params, batch.inputs, batch.targets)),
    "forward and backward": async () => finish(await batchGradient(gradient, params, batch, backend)),
    "whole step": async () => {
      const { loss, ...next } = await step.take({ params, optimizer, state: null }, [batch], 1e-3, undefined);
      await loss;
      return finish(next);
    },
  };
}

/** The loss and all gradients of the part of the batch. */
async function resultsOf({ model, params, backend }: Subject): Promise<Float32Array> {
  const results = await batchGradient(partGradient(languageLoss(model)), params, part, backend);
  const numbers = new Float32Array(parameterCount(results));
  await ravel(results, numbers);
  backend.free(results);
  return numbers;
}

for (const { backend, runs } of timed) {
  for (const [preset, n] of Object.entries(runs) as [PresetName, number][]) {
    for (const name of modelNames) {
      const subject = await makeSubject(preset, name, backend);
      const expected = await resultsOf(await makeSubject(preset, name, reference));
      checkLogits(`training of ${name} on ${backend.name}`, await resultsOf(subject), expected);
      for (const [stage, run] of Object.entries(stagesOf(subject))) {
        Deno.bench({
          group: `${stage}, 1000 tokens: ${preset} on ${backend.name}`,
          name: labelOf({ model: name }),
          baseline: name === "rwkv",
          n,
          warmup: 1,
          fn: run,
        });
      }
    }
  }
}
