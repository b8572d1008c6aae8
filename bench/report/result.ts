/**
 * What the report measures: the shape of `report.json`.
 *
 * @module
 */
import type { LatencyRow } from "../measure/latency.ts";
import type { Machine, Runtime } from "../measure/machine.ts";
import type { MemoryRow } from "../measure/memory.ts";
import type { TrainingRow } from "../training/train.ts";
import type { WkvRow } from "../wkv/measure.ts";
import type { Section } from "./options.ts";

/** A run of `deno task report`. */
export interface Run {
  /** ISO 8601; its name, for the rows of `training`. */
  readonly date: string;
  readonly command: string;
  readonly machine: Machine;
  readonly runtime: Runtime;
  /** Which sections of the report are from it. */
  readonly sections: readonly Section[];
}

/** All that a report holds; a section that was never asked for is empty. */
export interface Result {
  /** Of the newest run. */
  readonly machine: Machine;
  readonly runtime: Runtime;
  /** ISO 8601 */
  readonly date: string;
  /** The runs that the sections are from, the newest last. */
  readonly runs: readonly Run[];
  readonly latency: readonly LatencyRow[];
  readonly memory: readonly MemoryRow[];
  readonly training: readonly TrainingRow[];
  readonly wkv: readonly WkvRow[];
  /** Which GPU it was, whose clock, and what was left out why. */
  readonly wkvNotes: readonly string[];
}
