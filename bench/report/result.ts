/**
 * What the report measures: the shape of `report.json`.
 *
 * @module
 */
import type { Cell, PresetName } from "../subjects.ts";
import type { TrainingRow } from "../training/train.ts";
import type { WkvRow } from "../wkv/measure.ts";
import type { Machine, Runtime } from "./machine.ts";
import type { Section } from "./options.ts";

/** The time of a token. */
export interface LatencyRow extends Cell {
  readonly medianMs: number;
  /** null under 100 samples. */
  readonly p99Ms: number | null;
  readonly samples: number;
}

/** The time of RWKV's matrix-vector products alone. */
export interface LimitRow {
  readonly preset: PresetName;
  readonly model: "rwkv";
  readonly backend: string;
  readonly medianMs: number;
  readonly samples: number;
}

/** What the backend's count says of a token. */
export interface MemoryCount {
  readonly weightBytes: number;
  /** What is kept between tokens. */
  readonly stateBytes: number;
  /** The most that a token held on top of the two, the state that it leaves included. */
  readonly activationBytes: number;
  readonly totalBytes: number;
}

/** The memory of a token. */
export interface MemoryRow extends Cell, MemoryCount {
  /** The peak of a fresh process that decodes the context and the token; null where the system doesn't tell. */
  readonly processBytes: number | null;
}

/** Which run of `deno task report` something is from. */
export interface Origin {
  /** ISO 8601 */
  readonly date: string;
  readonly command: string;
  readonly machine: Machine;
  readonly runtime: Runtime;
}

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
  /** The matrix-vector products alone, from the same run as `latency`. */
  readonly limits: readonly LimitRow[];
  readonly memory: readonly MemoryRow[];
  /** Each in a file of its own, with its origin. */
  readonly training: readonly TrainingRow[];
  readonly wkv: readonly WkvRow[];
  /** Which GPU it was, whose clock, and what was left out why. */
  readonly wkvNotes: readonly string[];
}
