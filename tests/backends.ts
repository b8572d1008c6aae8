/** The backends that every shared test runs on, each with a fresh instance of its own. */
import { type Backend, createReference, createWasm } from "@seqmix/seqmix";

export const backends: readonly { readonly name: string; create(): Promise<Backend> | Backend }[] = [
  { name: "reference", create: () => createReference() },
  { name: "wasm", create: () => createWasm() },
  { name: "wasm, baseline", create: () => createWasm({ simd: "baseline" }) },
];
