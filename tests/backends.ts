/** The backends that every shared test runs on, each with a fresh instance of its own. */
import { type Backend, createReference, createWasm, createWebGpu } from "@seqmix/seqmix";

interface Place {
  readonly name: string;
  create(): Promise<Backend> | Backend;
}

/** A GPU where there is one; where REQUIRE_WEBGPU is 1, there must be. */
async function webGpu(): Promise<Place[]> {
  try {
    (await createWebGpu())[Symbol.dispose]();
  } catch (reason) {
    if (Deno.env.get("REQUIRE_WEBGPU") === "1") throw reason;
    console.error(`Nothing is tested on webgpu: ${reason}`);
    return [];
  }
  return [{ name: "webgpu", create: () => createWebGpu() }];
}

export const backends: readonly Place[] = [
  { name: "reference", create: () => createReference() },
  { name: "wasm", create: () => createWasm() },
  { name: "wasm, baseline", create: () => createWasm({ simd: "baseline" }) },
  ...await webGpu(),
];
