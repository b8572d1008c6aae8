/**
 * The same as `load.ts` without `import()`: a worker that a bundler makes one classic script of (Vite does, unless it is
 * configured otherwise) cannot be split. The bundler leaves out what is not used, and splits the page itself as it likes.
 *
 * @module
 */
import type * as lazily from "./load.ts";
import * as baseline from "./wasm/generated/module_baseline.js";
import * as relaxed from "./wasm/generated/module_relaxed.js";
import * as selfCheck from "./self_check.ts";
import * as webGpu from "./webgpu/open.ts";

export const loadWebGpu: typeof lazily.loadWebGpu = () => Promise.resolve(webGpu);
export const loadSelfCheck: typeof lazily.loadSelfCheck = () => Promise.resolve(selfCheck);
export const loadRelaxed: typeof lazily.loadRelaxed = () => Promise.resolve(relaxed);
export const loadBaseline: typeof lazily.loadBaseline = () => Promise.resolve(baseline);
