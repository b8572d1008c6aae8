/** The backends that every shared test runs on, each with a fresh instance of its own. */
import { type Backend, createReference, createWasm, createWebGpu } from "@seqmix/seqmix";
import { requestAdapter, requestDevice } from "../src/backends/webgpu/adapter.ts";

interface Place {
  readonly name: string;
  create(): Promise<Backend> | Backend;
}

/** A GPU where there is one; where REQUIRE_WEBGPU is 1, there must be. */
async function webGpu(): Promise<Place[]> {
  try {
    // One device for all tests: a device compiles its shaders anew.
    const device = await requestDevice(await requestAdapter());
    device.addEventListener("uncapturederror", (event) => {
      // Where no read comes to tell of it, the run must fail all the same.
      queueMicrotask(() => {
        throw (event as GPUUncapturedErrorEvent).error;
      });
    });
    return [{ name: "webgpu", create: () => createWebGpu({ device }) }];
  } catch (reason) {
    if (Deno.env.get("REQUIRE_WEBGPU") === "1") throw reason;
    console.error(`Nothing is tested on webgpu: ${reason}`);
    return [];
  }
}

export const backends: readonly Place[] = [
  { name: "reference", create: () => createReference() },
  { name: "wasm", create: () => createWasm() },
  { name: "wasm, baseline", create: () => createWasm({ simd: "baseline" }) },
  ...await webGpu(),
];
