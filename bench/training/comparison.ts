/**
 * The comparison of the models: each at its own best learning rate from one grid, and all at the article's rate.
 *
 * The grid is trained with the first seed, and a rate is chosen by the accuracy on validation sequences, which are
 * used for neither training nor testing. The trainings are independent of each other, so each can be a command of
 * its own.
 *
 * @module
 */
import { type ModelName, modelNames, type PresetName } from "../measure/subjects.ts";
import { nameOf, type TrainingCell, type TrainingRow } from "./row.ts";

/** The grid of learning rates, the same for every model. */
export const rates: readonly number[] = [3e-4, 1e-3, 3e-3, 1e-2];
/** The article's learning rate, for all models. */
export const articleRate = 1e-3;
/** The article's number of epochs. */
export const articleEpochs = 50;

/** The seeds of each preset, and the epochs of its grid. */
const plans: Readonly<
  Record<PresetName, { readonly seeds: readonly number[]; readonly gridEpochs: number }>
> = {
  matched: { seeds: [1, 2, 3], gridEpochs: articleEpochs },
  article: { seeds: [1], gridEpochs: 10 },
};

/** The parameters of a comparison. */
export interface Compared {
  readonly preset: PresetName;
  readonly backend: string;
  /** The epochs of all trainings except the grid, and of the grid too if they are not the article's. */
  readonly epochs: number;
}

/** A comparison, with the trainings done so far. */
export interface Comparison extends Compared {
  /** Trainings with the first seed at the rates of the grid. */
  readonly grid: readonly TrainingRow[];
  /** The best rate of each model whose grid is complete. */
  readonly chosen: ReadonlyMap<ModelName, number>;
  /** Each model at its chosen rate. */
  readonly best: readonly TrainingRow[];
  /** All models at the article's rate. */
  readonly article: readonly TrainingRow[];
  /** The known trainings that are still missing: those at a model's chosen rate are known once its grid is complete. */
  readonly missing: readonly TrainingCell[];
}

/** Selects the trainings that belong to a comparison. */
export function compare({ preset, backend, epochs }: Compared, training: readonly TrainingRow[]): Comparison {
  const { seeds } = plans[preset];
  const gridEpochs = epochs === articleEpochs ? plans[preset].gridEpochs : epochs;
  const all = training.filter((row) => row.preset === preset && row.backend === backend);
  const rows = all.filter((row) => row.epochs === epochs);
  const grid = all.filter(({ seed, rate, epochs }) =>
    seed === seeds[0] && rates.includes(rate) && epochs === gridEpochs
  );
  const chosen = new Map<ModelName, number>();
  for (const model of modelNames) {
    const tried = grid.filter((row) => row.model === model);
    if (tried.length < rates.length) continue;
    const [best] = tried.toSorted((a, b) => b.validationAccuracy - a.validationAccuracy);
    chosen.set(model, best.rate);
  }
  const wanted = [
    ...modelNames.flatMap((model) =>
      rates.map((rate) => ({ preset, model, seed: seeds[0], rate, epochs: gridEpochs }))
    ),
    ...seeds.flatMap((seed) =>
      modelNames.flatMap((model) =>
        [articleRate, chosen.get(model) ?? articleRate].map((rate) => ({ preset, model, seed, rate, epochs }))
      )
    ),
  ];
  const missing = new Map(wanted.map((cell) => [nameOf(cell, backend), cell]));
  for (const row of all) missing.delete(nameOf(row, backend));
  return {
    preset,
    backend,
    epochs,
    grid,
    chosen,
    best: rows.filter(({ model, rate }) => rate === chosen.get(model)),
    article: rows.filter(({ rate }) => rate === articleRate),
    missing: [...missing.values()],
  };
}

/** All comparisons that have trainings. */
export function comparisonsOf(training: readonly TrainingRow[]): Comparison[] {
  const compared = training.map(({ preset, backend, epochs }): Compared => ({
    preset,
    backend,
    epochs: epochs === plans[preset].gridEpochs ? articleEpochs : epochs,
  }));
  return [...new Map(compared.map((each) => [JSON.stringify(each), each])).values()]
    .map((each) => compare(each, training));
}
