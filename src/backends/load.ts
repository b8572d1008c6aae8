/**
 * Modules that are large and not always needed, loaded on first use with `import()`. Bundlers that target browsers
 * replace this module by `load_at_once.ts`.
 *
 * @module
 */
type SelfCheck = typeof import("./self_check.ts");
type WebGpu = typeof import("./webgpu/open.ts");
/** A build of the kernels, as hexadecimal digits. */
interface Kernels {
  readonly hex: string;
  readonly kinds: Readonly<Record<string, string>>;
}
/** The differences of another build. */
interface Patch {
  readonly patch: string;
}

export const loadWebGpu = (): Promise<WebGpu> => import("./webgpu/open.ts");
export const loadSelfCheck = (): Promise<SelfCheck> => import("./self_check.ts");
export const loadRelaxed = (): Promise<Kernels> => import("./wasm/generated/module_relaxed.js");
export const loadBaselinePatch = (): Promise<Patch> => import("./wasm/generated/baseline_patch.js");
