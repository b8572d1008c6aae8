/**
 * `deno task peers [--only startup,token,training] [--json FILE]`: how long it takes until the library can be used; how
 * long a token takes here, and in ONNX Runtime, jax-js and PyTorch; and how fast a model is trained here and in PyTorch.
 *
 * The same weights, the same output, one thread each. Beside a token's time stands what no implementation with these
 * instructions can be faster than: the matrix-vector products alone, reading the weights, the multiply-adds. Training is
 * compared with PyTorch alone, and two workers with one thread and with two processes.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { checkChoice, listOf } from "../report/options.ts";
import { startProgress } from "../report/progress.ts";
import { presetNames, taskSequence } from "../subjects.ts";
import { compare, type Comparison } from "./compare.ts";
import { jaxPeer } from "./jax.ts";
import { onnxRuntimeNode, onnxRuntimeWeb } from "./onnxruntime.ts";
import { compileProbes } from "./probes.ts";
import { pyTorch } from "./pytorch.ts";
import { expected, seqmixWasm } from "./seqmix.ts";
import { measureStartup, startupText } from "./startup.ts";
import { toText } from "./text.ts";
import { apartTrainer, pyTorchTrainer, pyTorchUnbound, seqmixTrainer } from "./trainers.ts";
import { compareTraining, type TrainingComparison, trainingText } from "./training.ts";
import { type Case, casesOf } from "./weights.ts";

const contestants = { expected, own: seqmixWasm, peers: [onnxRuntimeNode, onnxRuntimeWeb, jaxPeer, pyTorch] };
/** Tokens that have been seen, with the one that is timed. */
const tokenLength = 256;
/** Turns long enough for a token to follow many of its own kind, short enough that most are not interrupted. */
const tokenEffort = { rounds: 51, turnMs: 10 };

const trainersOf = ({ model }: Case) => ({
  own: [seqmixTrainer(1), seqmixTrainer(2), apartTrainer],
  peers: model === "rwkv" ? [pyTorchTrainer, pyTorchUnbound] : [pyTorchTrainer],
});
/** Tokens of a sequence that is trained on. */
const trainingLength = 128;
/** After the warm-up the engine, which compiles on the second worker's core, is done with that. */
const trainingEffort = { warmUpMs: 2000, leadInMs: 100, turnMs: 250, rounds: 21, budgetMs: 27_000 };

/** Fresh processes. */
const startups = 21;

const parts = ["startup", "token", "training"];
const usage = "Usage: deno task peers [--only startup,token,training] [--json FILE]";

async function allCases(length: number): Promise<Case[]> {
  return (await Promise.all(presetNames.map((preset) => casesOf(preset, length)))).flat();
}

async function measureTokens(): Promise<Comparison[]> {
  const probes = await compileProbes();
  const cases = await allCases(tokenLength);
  using progress = startProgress("Comparing");
  const results: Comparison[] = [];
  for (const subject of cases) {
    results.push(
      await compare(subject, taskSequence(tokenLength), contestants, await probes(subject), tokenEffort),
    );
    progress.update(results.length, cases.length);
  }
  return results;
}

async function measureTraining(): Promise<TrainingComparison[]> {
  const cases = await allCases(trainingLength);
  using progress = startProgress("Training");
  const results: TrainingComparison[] = [];
  for (const subject of cases) {
    const update = (done: number, total: number) =>
      progress.update(results.length + done / total, cases.length);
    results.push(await compareTraining(subject, trainersOf(subject), trainingEffort, update));
  }
  return results;
}

/** What to measure, and where to write it. */
function parseOptions(args: readonly string[]): { only: readonly string[]; json: string | undefined } {
  const action = "read command line";
  const { only, json } = parseArgs([...args], {
    string: ["only", "json"],
    unknown: (flag: string) => {
      throw new RangeError(`Cannot ${action}: flags must be --only and --json, current flag is ${flag}`);
    },
  });
  const chosen = listOf(action, "only", only) ?? parts;
  for (const part of chosen) checkChoice(action, "only", part, parts);
  return { only: chosen, json };
}

if (import.meta.main) {
  let options;
  try {
    options = parseOptions(Deno.args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
    Deno.exit(2);
  }
  const { only, json } = options;
  // Before anything is measured, so that a file that can't be written is known at once.
  const file = json ? await Deno.open(json, { write: true, create: true, truncate: true }) : undefined;
  const startup = only.includes("startup") ? await measureStartup(startups) : undefined;
  const trainings = only.includes("training") ? await measureTraining() : [];
  const tokens = only.includes("token") ? await measureTokens() : [];
  const note = trainings.length > 0 ? ["Training is compared with PyTorch alone; jax-js is left out."] : [];
  const began = startup === undefined ? [] : [startupText(startup)];
  console.log([...began, ...tokens.map(toText), ...trainings.map(trainingText), ...note].join("\n\n"));
  const written = {
    startup,
    token: tokens.flatMap((result) => result.token),
    training: trainings.flatMap((result) => result.training),
    limits: tokens.map((result) => result.limits),
    leftOut: [...tokens, ...trainings].flatMap((result) => result.leftOut),
  };
  await file?.write(new TextEncoder().encode(JSON.stringify(written, null, 2) + "\n"));
}
