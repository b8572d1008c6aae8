/**
 * `deno task application`: the effects of the library on an application's other work: gaps between its timers, the
 * delay of abort signals, and the memory of loops that free nothing.
 *
 * Prints a table for each claim. `deno task application --help` lists the options. Gaps are measured in
 * `application/gap_meter.ts`; the loops are in `application/loops.ts`, the frames of a page in `paints.ts`.
 *
 * @module
 */
import type { AbortRow } from "./application/aborts.ts";
import type { GapRow } from "./application/gaps.ts";
import type { LoopRow } from "./application/loops.ts";
import { medianOf } from "./application/medians.ts";
import { type Options, parseOptions, usage } from "./application/options.ts";
import { type Claim, type Request, runInFreshProcess } from "./application/request.ts";
import { abortsPart, gapsPart, loopPart, type Measured } from "./application/tables.ts";
import { type Part, toText } from "./report/document.ts";
import { parsedOrExit } from "./measure/flags.ts";
import { describeMachine } from "./measure/machine.ts";
import { startProgress } from "./report/progress.ts";
import { presetNames } from "./measure/subjects.ts";

/** The backends and sizes at which each claim is measured by default. */
const defaults: Readonly<Record<Claim, Pick<Options, "backends" | "presets">>> = {
  gaps: { backends: ["wasm", "webgpu"], presets: presetNames },
  aborts: { backends: ["wasm", "reference", "webgpu"], presets: ["matched"] },
  tokens: { backends: ["wasm"], presets: null },
  training: { backends: ["wasm"], presets: null },
  steps: { backends: ["wasm", "webgpu"], presets: null },
};

/** Whether the machine has a WebGPU adapter. */
const hasWebGpu = await globalThis.navigator.gpu?.requestAdapter() != null;

/** The measurements of a claim, each of which runs in a new process. */
function requestsOf(claim: Claim, options: Options): Request[] {
  const names = options.backends ??
    defaults[claim].backends!.filter((name) => name !== "webgpu" || hasWebGpu);
  if (defaults[claim].presets === null) {
    return names.map((backend) => ({
      claim,
      backend,
      preset: claim === "training" ? "article" : "matched",
      model: "rwkv",
      count: options.count,
    }));
  }
  return names.flatMap((backend) =>
    (options.presets ?? defaults[claim].presets!).flatMap((preset) =>
      options.models.map((model) => ({ claim, backend, preset, model, count: options.count }))
    )
  );
}

async function measure<Result>(claim: Claim, options: Options): Promise<Measured<Result>[]> {
  const requests = requestsOf(claim, options), found: Measured<Result>[] = [];
  using progress = startProgress(`Measuring ${claim}`);
  for (const request of requests) {
    const runs: Result[] = [];
    for (let i = 0; i < options.times; i++) {
      runs.push(await runInFreshProcess<Result>(request));
      progress.update(found.length * options.times + i + 1, requests.length * options.times);
    }
    found.push([request, medianOf(runs)]);
  }
  return found;
}

async function partOf(claim: Claim, options: Options): Promise<Part> {
  switch (claim) {
    case "gaps":
      return gapsPart(await measure<readonly GapRow[]>(claim, options));
    case "aborts":
      return abortsPart(await measure<readonly AbortRow[]>(claim, options));
    case "tokens":
      return loopPart(
        "Memory of a loop of forward and read: RWKV, matched, vocabulary 65,536",
        "tokens",
        await measure<LoopRow>(claim, options),
      );
    case "training":
      return loopPart(
        "Memory of a loop of training steps: RWKV, seed, one sequence of 32 tokens",
        "steps",
        await measure<LoopRow>(claim, options),
      );
    case "steps":
      return loopPart(
        "Memory of a long loop of forward and read: RWKV, matched, vocabulary 4,096",
        "tokens",
        await measure<LoopRow>(claim, options),
      );
  }
}

if (import.meta.main) {
  const options = parsedOrExit(parseOptions, usage);
  if (options.help) {
    console.log(usage);
  } else {
    const { cpu, cores, system } = describeMachine();
    console.log(
      `${cpu}, ${cores} cores, ${system}, Deno ${Deno.version.deno}, ${
        new Date().toISOString().slice(0, 10)
      }, ` +
        `load ${Deno.loadavg()[0].toFixed(1)}; ` +
        (options.times === 1 ? "one run" : `medians of ${options.times} runs`) +
        (hasWebGpu ? "" : "; no adapter for webgpu") + "\n",
    );
    // Printed as soon as measured, since each takes a while.
    for (const claim of options.only) console.log(toText([await partOf(claim, options)]) + "\n");
  }
}
