/**
 * What the report measures: the shape of `report.json`.
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
  /** Which sections of the report are from it. */
  readonly sections: readonly Section[];
}

/** All that a report holds; a section that was never asked for is empty. */
export interface Result {
  /** The runs that the sections but `training` are from, the newest last. */
  readonly runs: readonly Run[];
  readonly latency: readonly LatencyRow[];
  readonly memory: readonly MemoryRow[];
  /** Each in a file of its own, with its origin. */
  readonly training: readonly TrainingRow[];
  readonly wkv: readonly WkvRow[];
  /** Which GPU it was, whose clock, and what was left out why. */
  readonly wkvNotes: readonly string[];
}
