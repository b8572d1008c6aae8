/**
 * Loads the libraries of two checkouts side by side.
 *
 * @module
 */
import type { AnyLanguageModel, Backend } from "@seqmix/seqmix";
import { pathToFileURL } from "node:url";
import type { ModelName, PresetName } from "../measure/subjects.ts";

/** The library; an older one may lack `compile`. */
export type Library = Omit<typeof import("@seqmix/seqmix"), "compile"> & {
  readonly compile?: typeof import("@seqmix/seqmix").compile;
};

/** The entry point of a checkout's library. */
export function entryOf(folder: string): URL {
  return new URL("src/mod.ts", pathToFileURL(`${folder}/`));
}

/**
 * Loads the library of a checkout.
 *
 * @throws {RangeError} if the folder has none
 */
export async function loadLibrary(folder: string): Promise<Library> {
  const entry = entryOf(folder);
  try {
    await Deno.stat(entry);
  } catch {
    throw new RangeError(
      `Cannot load library: the folder must be a checkout with src/mod.ts, current folder is ${folder}`,
    );
  }
  return await import(entry.href);
}

/** A model of a library, with its parameters on a backend of its own. */
export interface Subject {
  readonly library: Library;
  readonly model: AnyLanguageModel;
  readonly config: unknown;
  readonly params: unknown;
  readonly backend: Backend;
}

export async function makeSubject(
  library: Library,
  preset: PresetName,
  name: ModelName,
): Promise<Subject> {
  const backend = await library.createWasm();
  const models = { rwkv: library.rwkv, lstm: library.lstmModel, transformer: library.transformer };
  const model = models[name] as AnyLanguageModel, config = library.presets[preset][name];
  return { library, model, config, params: await library.put(model.init(config, 1), backend), backend };
}
