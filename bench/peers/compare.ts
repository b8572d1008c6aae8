/**
 * The comparison: everything is held to the same outputs, then timed in rounds.
 *
 * @module
 */
import { type Effort, type Progress, roundRobin, type Timed } from "../measure/timer.ts";
import type { Case } from "./case.ts";
import type { OpenPeer, Peer } from "./peer.ts";

/** A model at a size. */
export type Named = Pick<Case, "model" | "preset">;

/** An implementation that is not compared, and why. */
export interface LeftOut extends Named {
  readonly implementation: string;
  readonly reason: string;
}

export interface Comparison {
  /** Of each implementation that is compared its samples, in ms a run. */
  readonly peers: readonly { readonly implementation: string; readonly samples: readonly number[] }[];
  readonly leftOut: readonly LeftOut[];
  /** Those of what was timed beside them. */
  readonly beside: readonly (readonly number[])[];
}

/**
 * Compares implementations of a case.
 *
 * @param expected the outputs that all must have; those of the first where there are none
 * @param beside what else has its turn in the same rounds
 * @throws {Error} if the library itself fails or is wrong; another that does is left out
 */
export async function compare(
  subject: Case,
  peers: readonly Peer[],
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
        leftOut.push({ model, preset, implementation, reason });
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

/** How far an output may be off, in parts of the size of the largest. */
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

/** A sentence for each reason: who is left out. */
export function leftOutNotes(leftOut: readonly LeftOut[]): string[] {
  return [...Map.groupBy(leftOut, ({ reason }) => reason)].map(([reason, out]) =>
    `Left out: ${[...new Set(out.map(({ implementation }) => implementation))].join(", ")}: ${reason}`
  );
}

/** The column of each of some implementations, in the order in which they come. */
export function columnsOf(rows: readonly { readonly implementation: string }[]): string[] {
  return [...new Set(rows.map(({ implementation }) => implementation))];
}
