/**
 * The same as `load.ts` with static imports: a worker that a bundler turns into one classic script (Vite's default)
 * cannot be split. The bundler removes what is not used, and can still split the page.
 *
 * @module
 */
import type * as lazily from "./load.ts";
import * as baselinePatch from "./wasm/generated/baseline_patch.js";
import * as relaxed from "./wasm/generated/module_relaxed.js";
import * as selfCheck from "./self_check.ts";
import * as webGpu from "./webgpu/open.ts";

export const loadWebGpu: typeof lazily.loadWebGpu = () => Promise.resolve(webGpu);
export const loadSelfCheck: typeof lazily.loadSelfCheck = () => Promise.resolve(selfCheck);
export const loadRelaxed: typeof lazily.loadRelaxed = () => Promise.resolve(relaxed);
export const loadBaselinePatch: typeof lazily.loadBaselinePatch = () => Promise.resolve(baselinePatch);
