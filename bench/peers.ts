/**
 * `deno task peers`: how long it takes until the library can be used; how long a token takes here, and in ONNX Runtime,
 * jax-js and PyTorch; and how fast a model is trained here and in PyTorch.
 *
 * The same weights, the same output, one thread each. PyTorch 2 is that of the `python3` on the path, or of the one that the
 * environment's PYTHON names, eager and by `torch.compile`, which takes a minute a model; who is left out is said.
 *
 * @module
 */
import { choicesOf, countOf, parsedOrExit, readFlags } from "./measure/flags.ts";
import { describeMachine } from "./measure/machine.ts";
import { compareTokens, tokenParts } from "./peers/token.ts";
import { measureStartup, startupPart } from "./peers/startup.ts";
import { compareTrainings, trainingParts } from "./peers/training.ts";
import { findVersions } from "./peers/versions.ts";
import { toText } from "./report/document.ts";
import { startProgress } from "./report/progress.ts";
import { toRows } from "./report/rows.ts";

/** Fresh processes. */
const startups = 21;

const parts = ["startup", "token", "training"];
const usage = `Usage: deno task peers [options]

  --only ${parts}   what to compare (default: all)
  --rounds N                      how often everything has its turn (default: as often as it takes for good medians)
  --json FILE                     where to write the numbers
  --help                          prints this`;

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
  // Before anything is measured, so that a file that can't be written is known at once.
  using file = json ? await Deno.open(json, { write: true, create: true, truncate: true }) : undefined;
  const date = new Date().toISOString(), machine = describeMachine(), versions = await findVersions();
  const startup = only.includes("startup") ? await measureStartup(startups) : undefined;
  let training: Awaited<ReturnType<typeof compareTrainings>> | undefined;
  if (only.includes("training")) {
    using progress = startProgress("Training");
    training = await compareTrainings(rounds, progress.update);
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
  ]));
  const leftOut = [...token?.leftOut ?? [], ...training?.leftOut ?? []];
  await file?.write(
    new TextEncoder().encode(toRows({ date, machine, versions, startup, ...token, ...training, leftOut })),
  );
}
