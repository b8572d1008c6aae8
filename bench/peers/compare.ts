/**
 * The comparison: everything is held to the same output, then timed in turns.
 *
 * @module
 */
import { median } from "../report/statistics.ts";
import type { Decoder, Peer } from "./peer.ts";
import type { Probes } from "./probes.ts";
import type { Case } from "./weights.ts";

/** How long a token takes. */
export interface TokenRow extends Named {
  readonly mode: Case["mode"];
  readonly length: number;
  readonly implementation: string;
  readonly medianMs: number;
}

/** An implementation that is not compared, and why. */
export interface LeftOut extends Named {
  readonly implementation: string;
  readonly reason: string;
}

/** What a token can't be faster than. */
export interface LimitRow extends Named {
  /** Of weights, and of the cache where there is one. */
  readonly bytes: number;
  readonly multiplyAdds: number;
  /** The time to read as many bytes, and to do as many multiply-adds. */
  readonly readMs: number;
  readonly multiplyAddMs: number;
}

interface Named {
  readonly model: Case["model"];
  readonly preset: Case["preset"];
}

export interface Comparison {
  readonly token: readonly TokenRow[];
  readonly leftOut: readonly LeftOut[];
  readonly limits: LimitRow;
}

/** How often and how long. */
export interface Effort {
  readonly rounds: number;
  /** How long an implementation has its turn, in ms. */
  readonly turnMs: number;
}

/** How long everything runs before it is timed: engines go on compiling what runs often for a while. */
const warmUpMs = 400;

/** Something that is timed: milliseconds for once, the mean of `count` times in a row. */
type Timed = (count: number) => number | Promise<number>;

/**
 * Compares implementations of a model.
 *
 * @param tokens what all decode before they are timed: as many as the case is long
 * @param expected gives the logits that all others must give
 * @throws {Error} if the library itself fails or is wrong; a peer that does is left out
 */
export async function compare(
  subject: Case,
  tokens: readonly number[],
  { expected, own, peers }: { readonly expected: Peer; readonly own: Peer; readonly peers: readonly Peer[] },
  probes: Probes,
  effort: Effort,
): Promise<Comparison> {
  const { model, preset, mode, length } = subject;
  const reference = await expected.open(subject);
  const logits = await reference.decode(tokens);
  await reference.close();

  const decoders = new Map([[own.name, await openChecked(own, subject, tokens, logits)]]);
  const leftOut: LeftOut[] = [];
  for (const peer of peers) {
    try {
      decoders.set(peer.name, await openChecked(peer, subject, tokens, logits));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      leftOut.push({ model, preset, implementation: peer.name, reason });
    }
  }
  const timed = new Map<string, Timed>([...decoders].map(([name, decoder]) => [name, decoder.time]));
  timed.set(`${own.name}-bare`, clocked(probes.products));
  const [implementations, limits] = [timed.size, [clocked(probes.read), clocked(probes.multiplyAdd)]];
  const medians = await interleave([...timed.values(), ...limits], effort);
  for (const decoder of decoders.values()) await decoder.close();
  const [readMs, multiplyAddMs] = medians.slice(implementations);
  return {
    token: [...timed.keys()].map((implementation, i) => ({
      model,
      preset,
      mode,
      length,
      implementation,
      medianMs: medians[i],
    })),
    leftOut,
    limits: {
      model,
      preset,
      bytes: probes.bytes,
      multiplyAdds: probes.multiplyAdds,
      readMs,
      multiplyAddMs,
    },
  };
}

/** How far an implementation's logits may be off, in parts of the largest one's size. */
const tolerance = 1e-4;

async function openChecked(
  peer: Peer,
  subject: Case,
  tokens: readonly number[],
  expected: readonly Float32Array[],
): Promise<Decoder> {
  const decoder = await peer.open(subject);
  try {
    const logits = await decoder.decode(tokens);
    const scale = Math.max(...expected.flatMap((row) => Array.from(row, Math.abs)));
    for (const [step, row] of expected.entries()) {
      for (const [id, value] of row.entries()) {
        const error = Math.abs(logits[step]?.[id] - value);
        if (!(error <= tolerance * scale)) {
          throw new Error(
            `Cannot compare ${peer.name}: logits must be within ${tolerance} of their scale ${scale}, current ` +
              `error after ${step + 1} tokens is ${error}`,
          );
        }
      }
    }
    return decoder;
  } catch (error) {
    await decoder.close();
    throw error;
  }
}

function clocked(run: (times: number) => void): Timed {
  return (count) => {
    const start = performance.now();
    run(count);
    return (performance.now() - start) / count;
  };
}

/**
 * In each round each has its turn, so that a machine that drifts drifts for all. Half a turn before the clock starts
 * brings back to the caches what the neighbour pushed out, as it is when one token follows another.
 */
async function interleave(timed: readonly Timed[], { rounds, turnMs }: Effort): Promise<number[]> {
  const counts: number[] = [];
  for (const time of timed) {
    // What runs for the first time is being compiled.
    await time(Math.ceil(warmUpMs / await time(10)));
    counts.push(Math.ceil(turnMs / await time(10)));
  }
  const samples: number[][] = timed.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, time] of timed.entries()) {
      await time(Math.ceil(counts[i] / 2));
      samples[i].push(await time(counts[i]));
    }
  }
  return samples.map(median);
}
