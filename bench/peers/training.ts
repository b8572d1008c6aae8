/**
 * Training compared: everything is held to the same losses, then timed in turns.
 *
 * @module
 */
import type { Progress } from "../report/interleave.ts";
import { digits, times } from "../report/format.ts";
import { median } from "../report/statistics.ts";
import { labelOf } from "../subjects.ts";
import type { LeftOut } from "./compare.ts";
import { inRounds, type RoundsEffort } from "./rounds.ts";
import { batchSize, type Trainer, type Training } from "./trainers.ts";
import type { Case } from "./weights.ts";

/** How fast a model is trained. */
export interface TrainingRow {
  readonly model: Case["model"];
  readonly preset: Case["preset"];
  readonly implementation: string;
  readonly threads: number;
  /** The median of the rounds. */
  readonly tokensPerS: number;
  /** What it has for each token of the library on one thread in the same round; again the median. */
  readonly ofOne: number;
}

export interface TrainingComparison {
  readonly subject: Case;
  /** The library on one thread first. */
  readonly training: readonly TrainingRow[];
  readonly leftOut: readonly LeftOut[];
}

/** What the library on one thread must be, in parts of PyTorch on one. */
const ofPyTorch: Readonly<Record<Case["preset"], Readonly<Record<Case["model"], number>>>> = {
  matched: { rwkv: 3, transformer: 1.2, lstm: 1 },
  seed: { rwkv: 1.2, transformer: 0.3, lstm: 0.3 },
};
/** What two workers must be, in parts of one. */
const ofOneWorker = 1.7;

/** Steps whose losses are compared: those after the first tell whether the first were the same step. */
const checkedSteps = 3;
/** How far a loss may be off, in parts of it. */
const tolerance = 1e-4;

/**
 * Compares how fast a model is trained.
 *
 * @param own the library on one thread, then on more
 * @throws {Error} if the library itself fails; a peer that does, or that has other losses, is left out
 */
export async function compareTraining(
  subject: Case,
  { own: [one, ...others], peers }: { readonly own: readonly Trainer[]; readonly peers: readonly Trainer[] },
  effort: RoundsEffort,
  progress: Progress,
): Promise<TrainingComparison> {
  const { model, preset, length } = subject;
  const opened: [Trainer, Training][] = [];
  const leftOut: LeftOut[] = [];
  try {
    const first = await one.open(subject);
    opened.push([one, first]);
    const losses = await first.take(checkedSteps);
    for (const peer of peers) {
      try {
        opened.push([peer, await openChecked(peer, subject, losses)]);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        leftOut.push({ model, preset, implementation: peer.name, reason });
      }
    }
    for (const other of others) opened.push([other, await openChecked(other, subject, losses)]);
    const paces = await inRounds(
      opened.map(([{ threads }, training]) => ({ threads, pace: training.pace })),
      effort,
      progress,
    );
    const training = opened.map(([{ name, threads }], i) => ({
      model,
      preset,
      implementation: name,
      threads,
      tokensPerS: 1000 * batchSize * length * median(paces[i]),
      ofOne: median(paces[i].map((pace, round) => pace / paces[0][round])),
    }));
    return { subject, training, leftOut };
  } finally {
    for (const [, training] of opened) await training.close();
  }
}

async function openChecked(trainer: Trainer, subject: Case, expected: readonly number[]): Promise<Training> {
  const training = await trainer.open(subject);
  try {
    const losses = await training.take(expected.length);
    for (const [i, loss] of losses.entries()) {
      if (!(Math.abs(loss - expected[i]) <= tolerance * expected[i])) {
        throw new Error(
          `Cannot compare ${trainer.name}: losses must be within ${tolerance} of ${
            expected[i]
          }, current loss ` +
            `of step ${i + 1} is ${loss}`,
        );
      }
    }
    return training;
  } catch (error) {
    await training.close();
    throw error;
  }
}

/** A table of a model of a preset, and who is left out and why. */
export function trainingText({ subject, training, leftOut }: TrainingComparison): string {
  const { model, preset, length } = subject;
  const [own, ...others] = training;
  const leasts: Readonly<Record<string, number>> = { pytorch: ofPyTorch[preset][model] };
  const row = (name: string, speed: string, ratio: string, meaning: string) =>
    `  ${name.padEnd(24)}${speed.padStart(9)}${ratio.padStart(13)}  ${meaning}`.trimEnd();
  return [
    `${preset} ${labelOf({ model })}, training on ${batchSize} sequences of ${length}`,
    row("", "tokens/s", "", ""),
    row(nameOf(own), digits(own.tokensPerS), "", ""),
    ...others.map((other) => {
      const { implementation, threads, tokensPerS, ofOne } = other;
      const isOwn = implementation === own.implementation;
      const least = isOwn ? ofOneWorker : leasts[implementation];
      const [ratio, meaning] = threads > 1
        ? [ofOne, "of one thread"]
        : [1 / ofOne, `${own.implementation} ÷ it`];
      const limit = least === undefined ? "" : `, at least ${times(least)}`;
      return row(nameOf(other), digits(tokensPerS), times(ratio), meaning + limit);
    }),
    ...leftOut.map(({ implementation, reason }) => `  ${implementation} is left out: ${reason}`),
  ].join("\n");
}

function nameOf({ implementation, threads }: TrainingRow): string {
  if (threads === 1) return implementation;
  return implementation.endsWith("-apart") ? "  two processes" : `${implementation}, ${threads} workers`;
}
