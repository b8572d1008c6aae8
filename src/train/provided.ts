/**
 * What a worker can train: the library's models, the exports of a module, and what its script provides.
 *
 * @module
 */
import { show } from "../check.ts";
import { isModel, type LanguageModel } from "../models/language_model.ts";
import { languageLoss } from "./language_objective.ts";
import { libraryModels } from "./library_models.ts";
import { type Loss, sentLoss } from "./loss_objective.ts";
import type { BatchLoss, Source } from "./objective.ts";

type Model = LanguageModel<never, unknown, unknown>;
type AnyLoss = Loss<never, never>;

/** The provided models and losses, by name. */
const models = new Map<string, Model>(), losses = new Map<string, AnyLoss>();

/**
 * Provides a worker with models that are not the library's, which it then finds by their names.
 *
 * @param given the models
 * @throws {TypeError} if one is not a language model
 */
export function provideModels(...given: readonly LanguageModel<never, unknown, unknown>[]): void {
  for (const model of given) {
    if (!isModel(model)) {
      throw new TypeError(
        `Cannot provide models: each must be a language model, current one is ${show(model)}`,
      );
    }
    models.set(model.name, model);
  }
}

/**
 * Provides a worker with loss functions. It finds them by the option `lossName` of `fit`; if there is only one, the
 * option may be left out.
 *
 * @param given the functions, by name
 * @throws {TypeError} if one is not a function
 */
export function provideLosses(given: Readonly<Record<string, Loss<never, never>>>): void {
  for (const [name, loss] of Object.entries(given)) {
    if (typeof loss !== "function") {
      throw new TypeError(
        `Cannot provide losses: ${name} must be a function, current value is ${show(loss)}`,
      );
    }
    losses.set(name, loss);
  }
}

/** Where a worker finds what it trains. */
interface Start {
  readonly source: Source;
  readonly module: string | undefined;
}

/** The loss that a worker computes. */
export async function batchLossOf({ source, module }: Start): Promise<BatchLoss<unknown, unknown>> {
  if (source.kind === "loss") {
    const loss = await lossOf(source.name, module);
    return sentLoss(loss as Loss<unknown, never>, source.seed) as BatchLoss<unknown, never>;
  }
  const { name, isLibraryModel } = source;
  const model = isLibraryModel
    ? libraryModels.find((model) => model.name === name)!
    : await modelOf(name, module);
  return languageLoss(model) as BatchLoss<unknown, never>;
}

/** A model of a module, or a provided one. */
async function modelOf(name: string, module: string | undefined): Promise<Model> {
  const candidates = module === undefined ? Object.fromEntries(models) : await exportsOf(module);
  const found = Object.values(candidates).find((value) => isModel(value) && value.name === name);
  if (found !== undefined) return found as Model;
  const names = Object.keys(candidates).join(", ");
  throw new TypeError(
    module === undefined
      ? `Cannot start worker: provideModels must provide it with a model named ${
        show(name)
      }, current models are ${names || "none"}`
      : `Cannot start worker: ${module} must export a model named ${
        show(name)
      }, current exports are ${names}`,
  );
}

/** A loss of a module, or a provided one. */
async function lossOf(name: string | undefined, module: string | undefined): Promise<AnyLoss> {
  const candidates = module === undefined ? Object.fromEntries(losses) : await exportsOf(module);
  const names = Object.keys(candidates);
  const only = module === undefined && names.length === 1 ? names[0] : "default";
  const found = Object.hasOwn(candidates, name ?? only) ? candidates[name ?? only] : undefined;
  if (typeof found === "function") return found as AnyLoss;
  const wanted = name === undefined
    ? "one loss, or one with the name in lossName"
    : `a loss named ${show(name)}`;
  throw new TypeError(
    module === undefined
      ? `Cannot start worker: provideLosses must provide it with ${wanted}, current losses are ${
        names.join(", ") || "none"
      }`
      : `Cannot start worker: ${module} must export a function named ${
        show(name ?? only)
      }, current exports are ${names.join(", ")}`,
  );
}

async function exportsOf(module: string): Promise<Readonly<Record<string, unknown>>> {
  // The URL is unknown to bundlers.
  return await import(/* @vite-ignore */ /* webpackIgnore: true */ module);
}
