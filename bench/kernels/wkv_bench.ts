/**
 * The WKV scan, for `deno bench -A bench/kernels/wkv_bench.ts`: a group a shape, B×T×C, with the kernels `webgpu serial` (a step
 * after another) and `webgpu chunked` (in parallel over time), each also with its gradient, a copy of as many elements,
 * `wasm` and `reference`.
 *
 * First a table on stderr: medians by the GPU's own clock where it has one, as GB/s of the 12 bytes a step and channel that
 * every scan moves, the 32 with its gradient, and of what the kernel really moves. The benches after it include the wait for
 * the GPU, which takes Deno 11 ms. Every output is checked first. What would take a device too long is left out, and named.
 *
 * @module
 */
import { textTable } from "../report/document.ts";
import { wkvTable } from "../report/wkv_part.ts";
import { makeInputs } from "../wkv/inputs.ts";
import { labelOf, type Prepared } from "../wkv/kernel.ts";
import { kernelsAt, leftOut, measureWkv, openKernels, prepare } from "../wkv/measure.ts";
import { nameOf, shapes } from "../wkv/shapes.ts";

/** What is estimated to take longer for a run is left out. */
const mostMs = 20;

const { kernels, notes } = await openKernels(["webgpu", "wasm", "reference"]);
for (const note of [...notes, ...leftOut(kernels, mostMs)]) console.error(note);
const rows = await measureWkv(kernels, mostMs);
console.error(`\n${textTable(wkvTable(rows))}\n`);

/** What runs now: one at a time, since the tensors of all of them are more than a device holds. */
let current: { readonly name: string; readonly prepared: Prepared } | null = null;

for (const shape of shapes) {
  const chosen = kernelsAt(shape, kernels, mostMs);
  for (const [i, kernel] of chosen.entries()) {
    const group = nameOf(shape), name = labelOf(kernel);
    Deno.bench({
      group,
      name,
      baseline: i === 0,
      n: 6,
      warmup: 1,
      async fn(b) {
        if (current?.name !== `${name} at ${group}`) {
          current?.prepared.free();
          current = null;
          const prepared = await prepare(kernel, shape, makeInputs(shape));
          current = { name: `${name} at ${group}`, prepared };
        }
        b.start();
        await current.prepared.run();
        b.end();
      },
    });
  }
}
