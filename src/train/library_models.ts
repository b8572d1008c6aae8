import type { LanguageModel } from "../models/language_model.ts";
import { lstmModel } from "../models/lstm.ts";
import { rwkv } from "../models/rwkv.ts";
import { transformer } from "../models/transformer.ts";

/** The library's models, which every worker finds by name. */
export const libraryModels: readonly LanguageModel<never, unknown, unknown>[] = [
  rwkv,
  transformer,
  lstmModel,
] as LanguageModel<never, unknown, unknown>[];
