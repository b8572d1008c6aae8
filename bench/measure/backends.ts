/**
 * The backends for benches and reports.
 *
 * @module
 */
import { type Backend, createReference, createWasm, createWebGpu } from "@seqmix/seqmix";

/** Functions that open each backend, the fastest first. */
const open: Readonly<Record<string, () => Backend | Promise<Backend>>> = {
  wasm: () => createWasm(),
  reference: () => createReference(),
  webgpu: () => createWebGpu(),
};

/** The backends that every machine has, the fastest first: the default. */
export const backendNames: readonly string[] = ["wasm", "reference"];

/** The names of all backends. */
export const allBackendNames: readonly string[] = Object.keys(open);

/**
 * Opens a new backend, which counts its own bytes.
 *
 * @throws {RangeError} if no backend has this name
 */
export async function openBackend(name: string): Promise<Backend> {
  if (!Object.hasOwn(open, name)) {
    throw new RangeError(
      `Cannot open backend: it must be one of ${allBackendNames.join(", ")}, current value is ${
        JSON.stringify(name)
      }`,
    );
  }
  return await open[name]();
}
