/**
 * `deno task peers`: the time until the library can be used; the time of a token here and in ONNX Runtime, jax-js
 * and PyTorch; and the speed of training here and in PyTorch, of the language models and of models of one's own.
 *
 * All have the same weights, must give the same output, and use one thread. PyTorch 2 is that of the `python3` on
 * the path, or of the environment variable PYTHON, eager and with `torch.compile`, which takes a minute for a
 * model. Implementations that can't run are listed with the reason.
 *
 * @module
 */
import { choicesOf, countOf, parsedOrExit, readFlags } from "./measure/flags.ts";
import { describeMachine } from "./measure/machine.ts";
import { compareTokens, tokenParts } from "./peers/token.ts";
import { compareOwnTrainings, ownTrainingParts } from "./peers/own_training.ts";
import { measureStartup, startupPart } from "./peers/startup.ts";
import { compareTrainings, trainingParts } from "./peers/training.ts";
import { findVersions } from "./peers/versions.ts";
import { toText } from "./report/document.ts";
import { startProgress } from "./report/progress.ts";
import { toRows } from "./report/rows.ts";

/** The number of new processes. */
const startups = 21;

const parts = ["startup", "token", "training", "own"];
const usage = `Usage: deno task peers [options]

  --only ${parts}   the comparisons (default: all)
  --rounds N                      the number of rounds of timing (default: enough for reliable medians)
  --json FILE                     the file to write the numbers to
  --help                          prints this help`;

function parseOptions(args: readonly string[]) {
  const { help, only, rounds, json } = readFlags(args, ["help"], ["only", "rounds", "json"]);
  return { help, only: choicesOf("only", only, parts) ?? parts, rounds: countOf("rounds", rounds), json };
}

if (import.meta.main) {
  const { help, only, rounds, json } = parsedOrExit(parseOptions, usage);
  if (help) {
    console.log(usage);
    Deno.exit();
  }
  // Opened before the measurements, to fail early.
  using file = json ? await Deno.open(json, { write: true, create: true, truncate: true }) : undefined;
  const date = new Date().toISOString(), machine = describeMachine(), versions = await findVersions();
  const startup = only.includes("startup") ? await measureStartup(startups) : undefined;
  let training: Awaited<ReturnType<typeof compareTrainings>> | undefined;
  if (only.includes("training")) {
    using progress = startProgress("Training");
    training = await compareTrainings(rounds, progress.update);
  }
  let own: Awaited<ReturnType<typeof compareOwnTrainings>> | undefined;
  if (only.includes("own")) {
    using progress = startProgress("Training of own models");
    own = await compareOwnTrainings(rounds, progress.update);
  }
  let token: Awaited<ReturnType<typeof compareTokens>> | undefined;
  if (only.includes("token")) {
    using progress = startProgress("Comparing");
    token = await compareTokens(rounds, progress.update);
  }
  const compared = Object.entries(versions).map(([name, version]) => `${name} ${version ?? "(none)"}`);
  console.log(toText([
    {
      title: "Compared",
      notes: [`${compared.join(", ")}; ${date} on ${machine.cpu}, ${machine.cores} cores.`],
    },
    ...startup ? [startupPart(startup)] : [],
    ...token ? tokenParts(token) : [],
    ...training ? trainingParts(training) : [],
    ...own ? ownTrainingParts(own) : [],
  ]));
  const leftOut = [...token?.leftOut ?? [], ...training?.leftOut ?? [], ...own?.leftOut ?? []];
  await file?.write(
    new TextEncoder().encode(
      toRows({ date, machine, versions, startup, ...token, ...training, ...own, leftOut }),
    ),
  );
}
