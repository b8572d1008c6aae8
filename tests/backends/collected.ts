/**
 * Leaks tensors on the named backend, runs the garbage collector, and prints the bytes that are still counted. A
 * process of its own, since a test can only run the collector with a V8 flag.
 */
import { appendTime, read, sigmoid, tensor } from "@seqmix/seqmix";
import { engineOf } from "../../src/engine.ts";
import { backends } from "../backends.ts";

declare const gc: () => void;

const backend = await backends.find(({ name }) => name === Deno.args[0])!.create();

/** Collects until the count no longer changes. */
async function settle(): Promise<number> {
  for (let bytes = -1; bytes !== backend.memory().bytes;) {
    ({ bytes } = backend.memory());
    for (let i = 0; i < 5; i++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return backend.memory().bytes;
}

const x = tensor([0, 0], [2], backend);
const survivor = sigmoid(x);
const held = backend.memory().bytes;

/** Thousands of tensors over one cache, and thousands of tensors that leave a scope. */
function leak(): void {
  const y = tensor(new Float32Array(100), [1, 1, 100], backend);
  let cache = engineOf(backend).reserveTime(1, 2500, 100);
  for (let i = 0; i < 2500; i++) cache = appendTime(cache, y);
  for (let i = 0; i < 3000; i++) backend.scope(() => sigmoid(y));
}
leak();
const leaked = backend.memory().bytes - held;
const left = await settle() - held;

/** Tensors that were registered for collection, but are then freed: they must not be released twice. */
function freeWatched(): void {
  backend.free(Array.from({ length: 3000 }, () => sigmoid(x)));
}
freeWatched();
const afterFree = await settle();

console.log(JSON.stringify({ held, leaked, left, afterFree, survivor: [...await read(survivor)] }));
