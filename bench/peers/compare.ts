/**
 * Runs a comparison: checks the outputs of all implementations, then times them in rounds.
 *
 * @module
 */
import { type Effort, type Progress, roundRobin, type Timed } from "../measure/timer.ts";
import type { Case } from "./case.ts";
import type { OpenPeer, Peer } from "./peer.ts";

/** A model of a preset. */
export type Named = Pick<Case, "model" | "preset">;

/** What is compared: a model of a preset, or one of one's own. */
interface Compared {
  readonly model: string;
  readonly preset?: string;
}

/** An implementation that is not compared, with the reason. */
export interface LeftOut extends Compared {
  readonly implementation: string;
  readonly reason: string;
}

interface Comparison {
  /** For each compared implementation its samples, in ms per run. */
  readonly peers: readonly { readonly implementation: string; readonly samples: readonly number[] }[];
  readonly leftOut: readonly LeftOut[];
  /** The samples of the additional subjects. */
  readonly beside: readonly (readonly number[])[];
}

/**
 * Compares implementations of a case.
 *
 * @param expected the outputs that all must have; by default those of the first
 * @param beside additional subjects that are timed in the same rounds
 * @throws {Error} if the library itself fails or is wrong; other implementations are left out instead
 */
export async function compare<Subject extends Compared>(
  subject: Subject,
  peers: readonly Peer<Subject>[],
  { expected, beside = [], effort, progress }: {
    readonly expected?: readonly ArrayLike<number>[];
    readonly beside?: readonly Timed[];
    readonly effort: Effort;
    readonly progress?: Progress;
  },
): Promise<Comparison> {
  const { model, preset } = subject;
  const opened: { readonly implementation: string; readonly peer: OpenPeer }[] = [];
  const leftOut: LeftOut[] = [];
  try {
    for (const { name: implementation, own, open } of peers) {
      try {
        const peer = await open(subject);
        opened.push({ implementation, peer });
        const outputs = await peer.outputs();
        checkOutputs(implementation, outputs, expected ??= outputs);
      } catch (error) {
        if (own) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        leftOut.push({ model, ...preset === undefined ? {} : { preset }, implementation, reason });
        if (opened.at(-1)?.implementation === implementation) await opened.pop()!.peer.close();
      }
    }
    const samples = await roundRobin([...opened.map(({ peer }) => peer), ...beside], effort, progress);
    return {
      peers: opened.map(({ implementation }, i) => ({ implementation, samples: samples[i] })),
      leftOut,
      beside: samples.slice(opened.length),
    };
  } finally {
    for (const { peer } of opened) await peer.close();
  }
}

/** The largest error of an output, relative to the largest output. */
const tolerance = 1e-4;

function checkOutputs(
  name: string,
  outputs: readonly ArrayLike<number>[],
  expected: readonly ArrayLike<number>[],
): void {
  const scale = Math.max(...expected.flatMap((row) => Array.from(row, Math.abs)));
  for (const [step, row] of expected.entries()) {
    for (let i = 0; i < row.length; i++) {
      const error = Math.abs(outputs[step]?.[i] - row[i]);
      if (!(error <= tolerance * scale)) {
        throw new Error(
          `Cannot compare ${name}: outputs must be within ${tolerance} of their scale ${scale}, current error of ` +
            `step ${step + 1} is ${error}`,
        );
      }
    }
  }
}

/** A sentence for each reason, with the implementations that are left out. */
export function leftOutNotes(leftOut: readonly LeftOut[]): string[] {
  return [...Map.groupBy(leftOut, ({ reason }) => reason)].map(([reason, out]) =>
    `Left out: ${[...new Set(out.map(({ implementation }) => implementation))].join(", ")}: ${reason}`
  );
}

/** The names of the implementations, in order of appearance. */
export function columnsOf(rows: readonly { readonly implementation: string }[]): string[] {
  return [...new Set(rows.map(({ implementation }) => implementation))];
}
