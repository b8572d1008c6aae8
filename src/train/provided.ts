/**
 * What the script of a worker provides it with.
 *
 * @module
 */
import { show } from "../check.ts";
import { isModel, type LanguageModel } from "../models/language_model.ts";
import type { Loss } from "./loss.ts";

/** The provided models and losses, by name. */
export const models: Map<string, LanguageModel<never, unknown, unknown>> = new Map();
export const losses: Map<string, Loss<never, never>> = new Map();

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

/** The module that a worker is importing. Workers that it starts meanwhile would import it again, without end. */
export const importing: { module: string | undefined } = { module: undefined };
