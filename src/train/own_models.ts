import type { LanguageModel } from "../models/language_model.ts";
import { lstmModel } from "../models/lstm.ts";
import { rwkv } from "../models/rwkv.ts";
import { transformer } from "../models/transformer.ts";

/** The models that a worker knows by name. */
export const ownModels: readonly LanguageModel<never, unknown, unknown>[] = [
  rwkv,
  transformer,
  lstmModel,
] as LanguageModel<never, unknown, unknown>[];
