/**
 * Assembles the report.
 *
 * @module
 */
import {
  labelOf,
  type ModelName,
  modelNames,
  parametersOf,
  type PresetName,
  presetNames,
} from "../measure/subjects.ts";
import { comparisonParts } from "./comparison_part.ts";
import type { Part } from "./document.ts";
import { digits } from "./format.ts";
import { latencyParts } from "./latency_parts.ts";
import { memoryParts } from "./memory_parts.ts";
import type { Result, Run } from "./result.ts";
import { trainingParts } from "./training_parts.ts";
import { wkvParts } from "./wkv_part.ts";

/** The number of parameters of each model of each preset. */
type ParameterCounts = Readonly<Record<PresetName, Readonly<Record<ModelName, number>>>>;

export function countParameters(): ParameterCounts {
  return Object.fromEntries(
    presetNames.map((preset) => [
      preset,
      Object.fromEntries(modelNames.map((name) => [name, parametersOf(preset, name)])),
    ]),
  ) as ParameterCounts;
}

/** All parts of the report of a result. */
export function partsOf(result: Result, parameters: ParameterCounts): Part[] {
  return [
    ...result.runs.map((run) => originPart(run, result)),
    parametersPart(result, parameters),
    ...latencyParts(result),
    ...memoryParts(result),
    ...trainingParts(result.training),
    ...wkvParts(result),
    ...comparisonParts(result, Object.values(parameters.article)),
  ];
}

function originPart({ machine, runtime, date, command, sections }: Run, { runs }: Result): Part {
  return {
    title: `Where the numbers come from${runs.length > 1 ? `: ${sections.join(", ")}` : ""}`,
    table: {
      columns: ["what", "which"],
      rows: [
        ["processor", `${machine.cpu}, ${machine.cores} cores`],
        ["memory", `${digits(machine.memoryBytes / 2 ** 30)} GiB`],
        ["system", machine.system],
        ["runtime", `Deno ${runtime.deno}, V8 ${runtime.v8}, TypeScript ${runtime.typescript}`],
        ["date", date],
        ["command", command],
      ],
    },
  };
}

function parametersPart({ latency, memory, training }: Result, parameters: ParameterCounts): Part {
  const presets = new Set([latency, memory, training].flatMap((rows) => rows.map(({ preset }) => preset)));
  const rows = presetNames.filter((preset) => presets.has(preset)).map((preset) => {
    const counts = modelNames.map((name) => parameters[preset][name]);
    const apart = Math.max(...counts) / Math.min(...counts) - 1;
    return [preset, ...counts.map((count) => count.toLocaleString("en")), `${digits(100 * apart)}%`];
  });
  return {
    title: "Parameters",
    table: {
      columns: ["preset", ...modelNames.map((model) => labelOf({ model })), "largest over smallest"],
      rows: [...rows, ["article", ...modelNames.map(() => "~50,000"), "-"]],
    },
  };
}
