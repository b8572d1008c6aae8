/**
 * The time of a token.
 *
 * @module
 */
import type { Backend } from "@seqmix/seqmix";
import { bareProducts } from "../products.ts";
import {
  type Cell,
  checkedSteps,
  makeSubject,
  modelNames,
  type PresetName,
  taskSequence,
  ways,
} from "../subjects.ts";
import { type Effort, interleave, type Progress, type Timed } from "./interleave.ts";
import type { LatencyRow, LimitRow } from "./result.ts";
import { median, p99 } from "./statistics.ts";

/**
 * Times a token of every model in every way at every length, on all backends in one run, and beside them RWKV's
 * matrix-vector products alone. Every step is checked before it is timed.
 */
export async function measureLatency(
  backends: readonly Backend[],
  presets: readonly PresetName[],
  lengths: readonly number[],
  effort: Effort,
  progress?: Progress,
): Promise<{ latency: LatencyRow[]; limits: LimitRow[] }> {
  const cells: Cell[] = [];
  const limits: Omit<LimitRow, "medianMs" | "samples">[] = [];
  const steps: Timed[] = [], products: Timed[] = [];
  for (const preset of presets) {
    for (const backend of backends) {
      for (const model of modelNames) {
        const subject = await makeSubject(preset, model, backend);
        const modes = ways.filter((way) => way.model === model).map((way) => way.mode);
        for (const length of lengths) {
          const name = `${preset} ${model} on ${backend.name} at ${length}`;
          steps.push(...await checkedSteps(name, subject, modes, taskSequence(length)));
          for (const mode of modes) cells.push({ preset, model, mode, backend: backend.name, length });
        }
        if (model !== "rwkv") continue;
        products.push({ run: await bareProducts(subject) });
        limits.push({ preset, model, backend: backend.name });
      }
    }
  }
  const samples = await interleave([...steps, ...products], effort, progress);
  return {
    latency: cells.map((cell, i) => ({
      ...cell,
      medianMs: median(samples[i]),
      p99Ms: p99(samples[i]),
      samples: samples[i].length,
    })),
    limits: limits.map((limit, i) => {
      const own = samples[steps.length + i];
      return { ...limit, medianMs: median(own), samples: own.length };
    }),
  };
}
