/**
 * The backends that benches and the report can measure.
 *
 * @module
 */
import { type Backend, createReference, createWasm, createWebGpu } from "@seqmix/seqmix";

/** How each backend is opened, the fastest first. */
const open: Readonly<Record<string, () => Backend | Promise<Backend>>> = {
  wasm: () => createWasm(),
  reference: () => createReference(),
  webgpu: () => createWebGpu(),
};

/** The backends that every machine has, the fastest first: what is measured where nothing else is asked for. */
export const backendNames: readonly string[] = ["wasm", "reference"];

/** The names of all backends that can be asked for. */
export const allBackendNames: readonly string[] = Object.keys(open);

/**
 * Opens a backend of one's own, whose bytes are counted by themselves.
 *
 * @throws {RangeError} if there is none of this name
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
