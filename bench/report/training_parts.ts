/**
 * The report's tables of learning.
 *
 * @module
 */
import type { PositionKind } from "@seqmix/seqmix";
import { labelOf, type ModelName, modelNames } from "../measure/subjects.ts";
import {
  articleEpochs,
  type Compared,
  type Comparison,
  comparisonsOf,
  rates,
} from "../training/comparison.ts";
import type { TrainingCell, TrainingRow } from "../training/row.ts";
import { articleTraining } from "./article.ts";
import type { Part } from "./document.ts";
import { counted, digits } from "./format.ts";
import { deviation, mean } from "../measure/statistics.ts";

/** The tables of a result's trainings; empty if there are none. */
export function trainingParts(training: readonly TrainingRow[]): Part[] {
  if (training.length === 0) return [];
  return [originPart(training), ...comparisonsOf(training).flatMap(partsOf)];
}

function partsOf(comparison: Comparison): Part[] {
  const { best, article } = comparison;
  const figure = `${figureName(comparison)}.svg`;
  return [
    gridPart(comparison),
    ...best.length === 0 ? [] : [
      { ...scorePart("Learning, each model at its best rate", best), figure },
      kindPart(best),
    ],
    ...article.length === 0 ? [] : [scorePart("Learning, all at the article's rate", article)],
  ];
}

/** The machines. There may be several, since every training stores its own. */
function originPart(training: readonly TrainingRow[]): Part {
  const keyOf = ({ origin: { machine, runtime }, workers }: TrainingRow) => [
    `${machine.cpu}, ${machine.cores} cores`,
    machine.system,
    `Deno ${runtime.deno}`,
    String(workers),
  ];
  const groups = Map.groupBy(training, (row) => JSON.stringify(keyOf(row)));
  return {
    title: "Where the numbers come from: training",
    table: {
      columns: ["processor", "system", "runtime", "workers", "trainings", "hours in all", "finished"],
      rows: [...groups.values()].map((rows) => {
        const dates = rows.map(({ origin }) => origin.date.slice(0, 10)).sort();
        return [
          ...keyOf(rows[0]),
          String(rows.length),
          digits(rows.reduce((sum, { seconds }) => sum + seconds, 0) / 3600),
          [...new Set([dates[0], dates[dates.length - 1]])].join(" to "),
        ];
      }),
    },
  };
}

/** The trainings of each model, one for each seed, in the order of the tables. */
export function byModel(rows: readonly TrainingRow[]): (readonly [ModelName, TrainingRow[]])[] {
  return modelNames
    .map((model) => [model, rows.filter((row) => row.model === model)] as const)
    .filter(([, rows]) => rows.length > 0);
}

/** The file name of a comparison's figure. */
export function figureName({ preset, backend, epochs }: Compared): string {
  return [
    `training-${preset}`,
    ...backend === "wasm" ? [] : [backend],
    ...epochs === articleEpochs ? [] : [`epochs${epochs}`],
  ].join("-");
}

function titleOf(what: string, { preset, backend, epochs }: Compared): string {
  return `${what}: ${preset}${backend === "wasm" ? "" : ` on ${backend}`}` +
    (epochs === articleEpochs ? "" : `, ${counted(epochs, "epoch")}`);
}

function gridPart(comparison: Comparison): Part {
  const { grid, chosen, missing } = comparison;
  const labelsOf = (of: (rate: number | undefined) => boolean) =>
    modelNames.filter((model) => of(chosen.get(model))).map((model) => labelOf({ model }));
  const open = labelsOf((rate) => rate === undefined);
  const edge = labelsOf((rate) => rate === Math.min(...rates) || rate === Math.max(...rates));
  const textOf = ({ model, rate, seed, epochs }: TrainingCell) =>
    `${labelOf({ model })} at ${rate}, seed ${seed}` +
    (epochs === comparison.epochs ? "" : `, ${counted(epochs, "epoch")}`);
  return {
    title: titleOf("Which learning rate", comparison),
    intro: [
      "Every model is trained at every rate of one grid, with one seed. The rate with the best accuracy (*) on validation " +
      "sequences is chosen, which are used for neither training nor testing. Shown are that accuracy, in %, and the loss " +
      `after the last ${grid.length > 0 ? `of ${counted(grid[0].epochs, "epoch")}` : "epoch"}.`,
    ],
    table: {
      columns: ["model", ...rates.map(String)],
      rows: modelNames.map((model) => [
        labelOf({ model }),
        ...rates.map((rate) => {
          const row = grid.find((row) => row.model === model && row.rate === rate);
          if (row === undefined) return "-";
          const score = `${(100 * row.validationAccuracy).toFixed(1)} / ${row.validationLoss.toFixed(3)}`;
          return chosen.get(model) === rate ? `* ${score}` : score;
        }),
      ]),
    },
    notes: [
      ...open.length > 0 ? [`No rate is chosen yet for ${open.join(", ")}.`] : [],
      ...edge.length > 0
        ? [
          `The best rate is at an end of the grid, beyond which there may be a better one: ${
            edge.join(", ")
          }.`,
        ]
        : [],
      ...missing.length > 0 ? [`Missing: ${missing.map(textOf).join("; ")}.`] : [],
    ],
  };
}

function scorePart(title: string, rows: readonly TrainingRow[]): Part {
  const [{ epochs, trainSequences, testSequences, ngramOrder }] = rows;
  const seeds = seedsOf(rows), last = lastOf(rows[0]);
  const baseline = (name: string, of: "ceiling" | "ngram") => [
    name,
    ...Array(3).fill("-"),
    spread(seeds.map((row) => row[`${of}Loss`]), 3),
    "-",
    spread(seeds.map((row) => 100 * row[`${of}Accuracy`]), 1),
    spread(seeds.map((row) => 100 * (row.ceilingAccuracy - row[`${of}Accuracy`])), 1),
    ...Array(3).fill("-"),
  ];
  return {
    title: titleOf(title, rows[0]),
    intro: [
      `Predicting the next token of the synthetic task: ${counted(epochs, "epoch")} of ${
        counted(trainSequences, "sequence")
      } of 32 to 256 tokens in batches of 32, AdamW (0.9, 0.95) with a learning rate that decreases along a ` +
      `cosine, gradients clipped at norm 1; tested on ${testSequences} other sequences. Losses are in nats per token, ` +
      "the train loss that of the last epoch while it is trained on. " +
      (seeds.length > 1
        ? `Mean ± standard deviation of ${seeds.length} seeds, each with a bank of motifs and sequences of its own.`
        : "One seed."),
    ],
    table: {
      columns: [
        "predictor",
        "rate",
        "parameters",
        "train loss",
        "test loss",
        `its change in the last ${counted(last, "epoch")}, %`,
        "test accuracy, %",
        "below the best, points",
        "article: train loss",
        "test loss",
        "accuracy, %",
      ],
      rows: [
        ...byModel(rows).map(([model, rows]) => {
          const stated = articleTraining[model];
          return [
            labelOf({ model }),
            String(rows[0].rate),
            rows[0].parameters.toLocaleString("en"),
            spread(rows.map((row) => row.trainLoss), 3),
            spread(rows.map((row) => row.testLoss), 3),
            last < epochs ? spread(rows.map(changeOf), 1) : "-",
            spread(rows.map((row) => 100 * row.accuracy), 1),
            spread(rows.map((row) => 100 * (row.ceilingAccuracy - row.accuracy)), 1),
            stated.trainLoss.toFixed(3),
            stated.testLoss.toFixed(3),
            (100 * stated.accuracy).toFixed(1),
          ];
        }),
        baseline("best possible", "ceiling"),
        baseline(`n-gram of order ${ngramOrder}`, "ngram"),
      ],
    },
  };
}

/**
 * The number of last epochs that show whether a training has converged: in the last fifth, the learning rate is
 * below a tenth of its maximum.
 */
const lastOf = ({ epochs }: TrainingRow) => Math.ceil(epochs / 5);

/** The change of the test loss over them, in percent. */
function changeOf(row: TrainingRow): number {
  return 100 * (row.testLoss / row.curve[row.epochs - 1 - lastOf(row)].testLoss - 1);
}

/** One row for each seed: all models of a seed have the same sequences, and so the same baselines. */
export function seedsOf(rows: readonly TrainingRow[]): TrainingRow[] {
  return [...new Map(rows.map((row) => [row.seed, row])).values()];
}

/** `0.289 ± 0.012` */
function spread(values: readonly number[], decimals: number): string {
  const apart = deviation(values);
  const middle = mean(values).toFixed(decimals);
  return apart === null ? middle : `${middle} ± ${apart.toFixed(decimals)}`;
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
    title: titleOf("Which memory was learned, accuracy in %", rows[0]),
    intro: [
      "By what predicting a token requires. Motif: a fixed token inside a motif, determined by the tokens just before it. " +
      "Slot: a token of a recurring motif that is specific to the sequence. Order: the first token of a recurring motif, " +
      "determined by what followed last time. New: the first token or the slot of a new motif.",
    ],
    table: {
      columns: ["predictor", ...names.map((kind) => kinds[kind])],
      rows: [
        ...byModel(rows).map(([model, rows]) => [labelOf({ model }), ...cells(rows, "accuracyByKind")]),
        ["best possible", ...cells(seedsOf(rows), "ceilingByKind")],
        [`n-gram of order ${rows[0].ngramOrder}`, ...cells(seedsOf(rows), "ngramByKind")],
      ],
    },
  };
}
