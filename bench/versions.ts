/**
 * `deno task versions --before FOLDER`: the effect of a change on the library's speed: times this checkout and an
 * older one on WebAssembly, in the same rounds.
 *
 * `git worktree add FOLDER COMMIT` creates the older one. The work is defined in `versions/work.ts`, timing in
 * `versions/compare.ts`.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { choicesOf, countOf, parsedOrExit, readFlags } from "./measure/flags.ts";
import { describeMachine } from "./measure/machine.ts";
import { median } from "./measure/statistics.ts";
import { labelOf, modelNames, presetNames } from "./measure/subjects.ts";
import { toText } from "./report/document.ts";
import { digits } from "./report/format.ts";
import { startProgress } from "./report/progress.ts";
import { type Checkouts, compareInProcess, compareStartup, type Times } from "./versions/compare.ts";
import { loadLibrary } from "./versions/library.ts";
import { titleOf, type Work } from "./versions/work.ts";

const kinds = ["token", "generate", "fit", "startup"] as const;

/** The work that is timed for each model. */
const works: readonly Work[] = [
  { kind: "token", length: 32 },
  { kind: "token", length: 256 },
  { kind: "generate", tokens: 20 },
  { kind: "generate", tokens: 256 },
  { kind: "fit", rows: 1, length: 32 },
  { kind: "fit", rows: 32, length: 128 },
];

const usage = `Usage: deno task versions --before FOLDER [options]

Times this checkout and an older one in the same rounds, on WebAssembly, on one thread:

  token      a token at the end of a context, compiled if the library supports it
  generate   a generation, from the call to the last token
  fit        a training step
  startup    import and createWasm() in a new process

  --before FOLDER                   the older checkout
  --only ${kinds}
                                    the work to time (default: all)
  --preset ${presetNames}             the sizes (default: both)
  --models ${modelNames}    the models (default: all)
  --times N                         the number of runs, each in a new process (default: 1)
  --rounds N                        the number of rounds in a run (default: 21)
  --help                            prints this help`;

function parseOptions(args: readonly string[]) {
  const flags = readFlags(args, ["help"], ["before", "only", "preset", "models", "times", "rounds"]);
  if (!flags.help && !flags.before) {
    throw new RangeError("Cannot read command line: --before must be a folder, current one is not given");
  }
  return {
    help: flags.help,
    before: flags.before ?? "",
    only: choicesOf("only", flags.only, kinds) ?? kinds,
    presets: choicesOf("preset", flags.preset, presetNames) ?? presetNames,
    models: choicesOf("models", flags.models, modelNames) ?? modelNames,
    times: countOf("times", flags.times) ?? 1,
    rounds: countOf("rounds", flags.rounds) ?? 21,
  };
}

type Options = ReturnType<typeof parseOptions>;

/** A row of the table, measured once per run. */
interface Row {
  readonly cells: readonly [preset: string, model: string, what: string];
  run(): Promise<Times>;
}

function rowsOf(checkouts: Checkouts, { only, presets, models, rounds }: Options): Row[] {
  const rows: Row[] = presets.flatMap((preset) =>
    works.filter(({ kind }) => only.includes(kind)).flatMap((work) =>
      models.map((model) => ({
        cells: [preset, labelOf({ model }), titleOf(work)] as const,
        run: () => compareInProcess(checkouts, { preset, model, work, rounds }),
      }))
    )
  );
  if (only.includes("startup")) {
    rows.push({ cells: ["-", "-", "start-up"], run: () => compareStartup(checkouts, rounds) });
  }
  return rows;
}

if (import.meta.main) {
  const options = parsedOrExit(parseOptions, usage);
  if (options.help) {
    console.log(usage);
    Deno.exit();
  }
  const { before, times } = options;
  try {
    await loadLibrary(before);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
  const rows = rowsOf({ before, now: fileURLToPath(new URL("..", import.meta.url)) }, options);
  const found: Times[][] = rows.map(() => []);
  const progress = startProgress("Timing");
  for (let run = 0; run < times; run++) {
    for (const [i, row] of rows.entries()) {
      found[i].push(await row.run());
      progress.update(run * rows.length + i + 1, times * rows.length);
    }
  }
  progress[Symbol.dispose]();
  const { cpu, cores } = describeMachine();
  console.log(toText([{
    title: `Time now over before, ${new Date().toISOString().slice(0, 10)}, ${cpu}, ${cores} cores, Deno ` +
      Deno.version.deno,
    table: {
      columns: ["preset", "model", "what", "before ms", "now ms", "now ÷ before", "runs"],
      rows: rows.map(({ cells }, i) => [
        ...cells,
        digits(median(found[i].map(({ beforeMs }) => beforeMs))),
        digits(median(found[i].map(({ nowMs }) => nowMs))),
        median(found[i].map(({ ratio }) => ratio)).toFixed(3),
        found[i].map(({ ratio }) => ratio.toFixed(3)).join(" "),
      ]),
    },
    notes: [`Medians of ${times === 1 ? "one run" : `${times} runs`} of ${options.rounds} rounds.`],
  }]));
}
