/**
 * `deno task peers [--json FILE]`: how long a token takes here, and in ONNX Runtime, jax-js and PyTorch.
 *
 * One thread each, the same weights, the same output. Beside them stands what no implementation with these
 * instructions can be faster than: the matrix-vector products alone, reading the weights, the multiply-adds.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { startProgress } from "../report/progress.ts";
import { presetNames, taskSequence } from "../subjects.ts";
import { compare, type Comparison } from "./compare.ts";
import { jaxPeer } from "./jax.ts";
import { onnxRuntimeNode, onnxRuntimeWeb } from "./onnxruntime.ts";
import { compileProbes } from "./probes.ts";
import { pyTorch } from "./pytorch.ts";
import { expected, seqmixWasm } from "./seqmix.ts";
import { toText } from "./text.ts";
import { casesOf } from "./weights.ts";

const contestants = { expected, own: seqmixWasm, peers: [onnxRuntimeNode, onnxRuntimeWeb, jaxPeer, pyTorch] };
/** Tokens that have been seen, with the one that is timed. */
const length = 256;
/** Turns long enough for a token to follow many of its own kind, short enough that most are not interrupted. */
const effort = { rounds: 51, turnMs: 10 };

async function measure(): Promise<Comparison[]> {
  const probes = await compileProbes();
  const cases = (await Promise.all(presetNames.map((preset) => casesOf(preset, length)))).flat();
  using progress = startProgress("Comparing");
  const results: Comparison[] = [];
  for (const subject of cases) {
    results.push(await compare(subject, taskSequence(length), contestants, await probes(subject), effort));
    progress.update(results.length, cases.length);
  }
  return results;
}

if (import.meta.main) {
  const { json } = parseArgs(Deno.args, {
    string: ["json"],
    unknown: (flag: string) => {
      console.error(`Usage: deno task peers [--json FILE], current flag is ${flag}`);
      Deno.exit(2);
    },
  });
  // Before anything is measured, so that a file that can't be written is known at once.
  const file = json ? await Deno.open(json, { write: true, create: true, truncate: true }) : undefined;
  const results = await measure();
  console.log(results.map(toText).join("\n\n"));
  const written = {
    token: results.flatMap((result) => result.token),
    training: [],
    limits: results.map((result) => result.limits),
    leftOut: results.flatMap((result) => result.leftOut),
  };
  await file?.write(new TextEncoder().encode(JSON.stringify(written, null, 2) + "\n"));
}
