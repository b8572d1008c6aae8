/**
 * The result of the report: the structure of `report.json`.
 *
 * @module
 */
import type { LatencyRow } from "../measure/latency.ts";
import type { Origin } from "../measure/machine.ts";
import type { MemoryRow } from "../measure/memory.ts";
import type { TrainingRow } from "../training/row.ts";
import type { WkvRow } from "../wkv/measure.ts";
import type { Section } from "./options.ts";

/** A run of `deno task report`. */
export interface Run extends Origin {
  /** The sections of the report that are from it. */
  readonly sections: readonly Section[];
}

/** All results of a report; sections that were never measured are empty. */
export interface Result {
  /** The runs that the sections other than `training` are from, the newest last. */
  readonly runs: readonly Run[];
  readonly latency: readonly LatencyRow[];
  readonly memory: readonly MemoryRow[];
  /** Each has a file of its own, with its origin. */
  readonly training: readonly TrainingRow[];
  readonly wkv: readonly WkvRow[];
  /** The GPU, its clock, and what was left out, with the reason. */
  readonly wkvNotes: readonly string[];
}
