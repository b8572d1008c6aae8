/**
 * What takes long to load and is not always used: by `import()`, so that it is loaded where it is asked for. Bundlers that
 * build for browsers take `load_at_once.ts` in the place of this module.
 *
 * @module
 */
type SelfCheck = typeof import("./self_check.ts");
type WebGpu = typeof import("./webgpu/open.ts");
/** A build of the kernels, in hexadecimal digits. */
interface Kernels {
  readonly hex: string;
  readonly kinds: Readonly<Record<string, string>>;
}

export const loadWebGpu = (): Promise<WebGpu> => import("./webgpu/open.ts");
export const loadSelfCheck = (): Promise<SelfCheck> => import("./self_check.ts");
export const loadRelaxed = (): Promise<Kernels> => import("./wasm/generated/module_relaxed.js");
export const loadBaseline = (): Promise<Kernels> => import("./wasm/generated/module_baseline.js");
