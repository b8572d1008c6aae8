/**
 * What a worker trains: one of the library's models, an export of a module, or what its script provides.
 *
 * @module
 */
import { show } from "../check.ts";
import { isModel, type LanguageModel } from "../models/language_model.ts";
import { languageLoss } from "./language_objective.ts";
import { libraryModels } from "./library_models.ts";
import type { Loss } from "./loss.ts";
import { sentLoss } from "./loss_objective.ts";
import type { BatchLoss, Source } from "./objective.ts";
import { importing, losses, models } from "./provided.ts";

type Model = LanguageModel<never, unknown, unknown>;
type AnyLoss = Loss<never, never>;

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
  importing.module = module;
  try {
    // The URL is unknown to bundlers.
    return await import(/* @vite-ignore */ /* webpackIgnore: true */ module);
  } finally {
    importing.module = undefined;
  }
}
