/** The backends of all shared tests; each test gets a new instance. */
import { type Backend, createReference, createWasm, createWebGpu } from "@seqmix/seqmix";
import { requestAdapter, requestDevice } from "../src/backends/webgpu/adapter.ts";

interface Place {
  readonly name: string;
  create(): Promise<Backend> | Backend;
}

/** A GPU if there is one; with REQUIRE_WEBGPU=1, it is an error if there is none. */
async function webGpu(): Promise<Place[]> {
  try {
    // One device for all tests, since each device compiles its shaders again.
    const device = await requestDevice(await requestAdapter());
    device.addEventListener("uncapturederror", (event) => {
      // If no later read reports the error, the test run must fail anyway.
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
