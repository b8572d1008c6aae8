/**
 * The report's tables of learning.
 *
 * @module
 */
import type { PositionKind } from "@seqmix/seqmix";
import { labelOf, type ModelName, modelNames } from "../measure/subjects.ts";
import type { TrainingRow } from "../training/train.ts";
import { articleTraining } from "./article.ts";
import type { Part } from "./document.ts";
import { counted, digits } from "./format.ts";
import { deviation, mean } from "../measure/statistics.ts";

/** The tables of a result's trainings; none where it has none. */
export function trainingParts(training: readonly TrainingRow[]): Part[] {
  return groupsOf(training).flatMap((rows) => [scorePart(rows), kindPart(rows)]);
}

/** The trainings of one preset on one backend, which are compared. */
export function groupsOf(training: readonly TrainingRow[]): TrainingRow[][] {
  return [...Map.groupBy(training, ({ preset, backend }) => `${preset} ${backend}`).values()];
}

/** The seeds' trainings of each model that there is, in the order of the tables. */
export function byModel(rows: readonly TrainingRow[]): (readonly [ModelName, TrainingRow[]])[] {
  return modelNames
    .map((model) => [model, rows.filter((row) => row.model === model)] as const)
    .filter(([, rows]) => rows.length > 0);
}

/** The name of their figure's files. */
export function figureName([{ preset, backend }]: readonly TrainingRow[]): string {
  return `training-${preset}${backend === "wasm" ? "" : `-${backend}`}`;
}

function titleOf(what: string, [{ preset, backend }]: readonly TrainingRow[]): string {
  return `${what}: ${preset}${backend === "wasm" ? "" : ` on ${backend}`}`;
}

function scorePart(rows: readonly TrainingRow[]): Part {
  const [{ epochs, trainSequences, testSequences, ngramOrder }] = rows;
  const seeds = new Set(rows.map(({ seed }) => seed)).size;
  return {
    title: titleOf("Learning", rows),
    intro: [
      `Predicting the next token of the synthetic task: ${counted(epochs, "epoch")} of ${
        counted(trainSequences, "sequence")
      } of 32 to 256 tokens in batches of 32, AdamW (0.9, 0.95) with a learning rate of 0.001 along a ` +
      `cosine, gradients clipped at norm 1; tested on ${testSequences} other sequences. Losses are nats a token, ` +
      "the train loss that of the last epoch while it is trained on. " +
      (seeds > 1
        ? `Mean ± standard deviation of ${seeds} seeds, each with a bank of motifs and sequences of its own.`
        : "One seed."),
    ],
    table: {
      columns: [
        "predictor",
        "parameters",
        "train loss",
        "test loss",
        "test accuracy, %",
        "below the best, points",
        "tokens/s",
        "minutes",
        "article: train loss",
        "test loss",
        "accuracy, %",
      ],
      rows: [
        ...byModel(rows).map(([model, rows]) => {
          const stated = articleTraining[model];
          return [
            labelOf({ model }),
            rows[0].parameters.toLocaleString("en"),
            spread(rows.map((row) => row.trainLoss), 3),
            spread(rows.map((row) => row.testLoss), 3),
            spread(rows.map((row) => 100 * row.accuracy), 1),
            spread(rows.map(below), 1),
            digits(mean(rows.map((row) => row.tokensPerS))),
            digits(mean(rows.map((row) => row.seconds / 60))),
            stated.trainLoss.toFixed(3),
            stated.testLoss.toFixed(3),
            (100 * stated.accuracy).toFixed(1),
          ];
        }),
        [
          "best possible",
          "-",
          "-",
          spread(lessons(rows).map((row) => row.ceilingLoss), 3),
          spread(lessons(rows).map((row) => 100 * row.ceilingAccuracy), 1),
          ...Array(6).fill("-"),
        ],
        [
          `n-gram of order ${ngramOrder}`,
          "-",
          "-",
          spread(lessons(rows).map((row) => row.ngramLoss), 3),
          spread(lessons(rows).map((row) => 100 * row.ngramAccuracy), 1),
          spread(lessons(rows).map((row) => 100 * (row.ceilingAccuracy - row.ngramAccuracy)), 1),
          ...Array(5).fill("-"),
        ],
      ],
    },
    figure: `${figureName(rows)}.svg`,
    notes: [nearnessNote(rows), ...convergenceNotes(rows)],
  };
}

/** How many points of accuracy a training is below the best that is possible. */
function below({ ceilingAccuracy, accuracy }: TrainingRow): number {
  return 100 * (ceilingAccuracy - accuracy);
}

/** One row a seed: all models of a seed have the same sequences, and so the same baselines. */
export function lessons(rows: readonly TrainingRow[]): TrainingRow[] {
  return [...new Map(rows.map((row) => [row.seed, row])).values()];
}

/** `0.289 ± 0.012` */
function spread(values: readonly number[], decimals: number): string {
  const apart = deviation(values);
  const middle = mean(values).toFixed(decimals);
  return apart === null ? middle : `${middle} ± ${apart.toFixed(decimals)}`;
}

/** So many points below the best that is possible count as near. */
const near = 2;

function nearnessNote(rows: readonly TrainingRow[]): string {
  const gaps = byModel(rows).map(([model, rows]) => ({
    name: labelOf({ model }),
    gap: mean(rows.map(below)),
  }));
  const list = (some: typeof gaps) => some.map(({ name, gap }) => `${name} (${gap.toFixed(1)})`).join(", ");
  const within = gaps.filter(({ gap }) => gap <= near), beyond = gaps.filter(({ gap }) => !(gap <= near));
  return [
    within.length > 0
      ? `Within ${near} points of the best possible accuracy: ${list(within)}.`
      : `No model is within ${near} points of the best possible accuracy.`,
    ...beyond.length > 0 ? [`Further below it: ${list(beyond)}.`] : [],
  ].join(" ");
}

/** A model has not converged if its test loss still falls by more than this part of it over the last fifth of the epochs. */
const still = 0.01;
/** As good as the n-gram, in parts of all tokens and of those of one kind, which are fewer. */
const asGood = 0.005, asGoodAtSlots = 0.05;

function convergenceNotes(rows: readonly TrainingRow[]): string[] {
  const [{ epochs, ngramOrder }] = rows;
  const last = Math.ceil(epochs / 5);
  // So few epochs tell nothing of where they lead.
  if (last < 2) return [];
  const notes = byModel(rows).map(([model, rows]) => {
    const fall = mean(
      rows.map(({ curve }) => 1 - curve[epochs - 1].testLoss / curve[epochs - 1 - last].testLoss),
    );
    const ngram = `the n-gram of order ${ngramOrder}`;
    const clauses = [
      `${labelOf({ model })} has ${fall > still ? "not converged" : "converged"}: its test loss ${
        fall >= 0 ? "fell" : "rose"
      } by ${Math.abs(100 * fall).toFixed(1)}% over the last ${last} epochs`,
    ];
    if (mean(rows.map((row) => row.accuracy - row.ngramAccuracy)) <= asGood) {
      clauses.push(`it is no better than ${ngram}`);
    }
    const slots = mean(rows.map((row) => row.accuracyByKind.slot ?? NaN));
    const ngramSlots = mean(rows.map((row) => row.ngramByKind.slot ?? NaN));
    if (slots - ngramSlots <= asGoodAtSlots) {
      const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
      clauses.push(
        `it has not learned to remember slots, of which it gets ${percent(slots)} right and ${ngram} ${
          percent(ngramSlots)
        }`,
      );
    }
    return `${clauses.join("; ")}.`;
  });
  return [
    `Converged: with a test loss that did not fall by more than ${
      100 * still
    }% over the last ${last} epochs, in which the ` +
    "learning rate is below a tenth of its highest.",
    ...notes,
  ];
}

const kinds: Readonly<Record<PositionKind, string>> = {
  motif: "motif (short-term)",
  slot: "slot (long-term)",
  order: "order (long-term)",
  new: "new (luck)",
};

function kindPart(rows: readonly TrainingRow[]): Part {
  const names = Object.keys(kinds) as PositionKind[];
  const cells = (rows: readonly TrainingRow[], which: "accuracyByKind" | "ceilingByKind" | "ngramByKind") =>
    names.map((kind) => {
      const values = rows.map((row) => row[which][kind]).filter((value) => value !== null);
      return values.length === 0 ? "-" : spread(values.map((value) => 100 * value), 1);
    });
  return {
    title: titleOf("Which memory was learned, accuracy in %", rows),
    intro: [
      "By what it takes to predict a token. Motif: a fixed token inside a motif, told by the tokens just before it. " +
      "Slot: the token of the sequence's own in a motif that has come round again. Order: the first token of a motif " +
      "that has come round again, told by what followed last time. New: what the sequence has not shown before.",
    ],
    table: {
      columns: ["predictor", ...names.map((kind) => kinds[kind])],
      rows: [
        ...byModel(rows).map(([model, rows]) => [labelOf({ model }), ...cells(rows, "accuracyByKind")]),
        ["best possible", ...cells(lessons(rows), "ceilingByKind")],
        [`n-gram of order ${rows[0].ngramOrder}`, ...cells(lessons(rows), "ngramByKind")],
      ],
    },
  };
}
