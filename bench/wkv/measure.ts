/**
 * Chooses the kernels for each shape, and times them.
 *
 * @module
 */
import { createReference, createWasm } from "@seqmix/seqmix";
import { median } from "../measure/statistics.ts";
import { type Effort, type Progress, roundRobin } from "../measure/timer.ts";
import { openGpu } from "./gpu.ts";
import { checkOutput, type Inputs, makeInputs } from "./inputs.ts";
import { labelOf, onCpu, type Prepared, type WkvKernel } from "./kernel.ts";
import { elementsOf, nameOf, type Shape, shapes } from "./shapes.ts";

/** The time of a scan. */
export interface WkvRow extends Shape {
  readonly backend: string;
  readonly kernel: string;
  readonly medianMs: number;
  /**
   * By the 12 bytes for each step and channel that every scan has to move, or the 32 with its gradient; for a copy,
   * by the bytes that it moves.
   */
  readonly gbPerS: number;
  /** By the bytes that the kernel actually moves. */
  readonly trafficGbPerS: number;
}

/** All kernels that are available. */
interface WkvKernels {
  readonly kernels: readonly WkvKernel[];
  /** Notes in sentences: the GPU and the source of its times, or the reason why there is none. */
  readonly notes: readonly string[];
  [Symbol.dispose](): void;
}

/** Opens the backends that are available; a missing GPU is reported in the notes. */
export async function openKernels(backends: readonly string[]): Promise<WkvKernels> {
  using stack = new DisposableStack();
  const kernels: WkvKernel[] = [], notes: string[] = [];
  if (backends.includes("webgpu")) {
    try {
      const gpu = stack.use(await openGpu());
      kernels.push(...gpu.kernels);
      const clock = gpu.hasClock ? "the GPU's own clock" : "the time until the GPU is done";
      notes.push(`webgpu is ${gpu.adapter}, by ${clock}.`);
    } catch (error) {
      notes.push(`webgpu is left out: ${error instanceof Error ? error.message : error}.`);
    }
  }
  if (backends.includes("wasm")) kernels.push(onCpu(stack.use(await createWasm()), 6));
  if (backends.includes("reference")) kernels.push(onCpu(stack.use(createReference()), 60));
  const owned = stack.move();
  return { kernels, notes, [Symbol.dispose]: () => owned.dispose() };
}

/** The reason why a kernel is not run at a shape; null if it is. */
function reasonAgainst(kernel: WkvKernel, shape: Shape, mostMs: number): string | null {
  const ms = kernel.nsPerElement * elementsOf(shape) / 1e6;
  return kernel.refusal(shape) ?? (ms <= mostMs ? null : `a run would take more than about ${mostMs} ms`);
}

/** The kernels that run at a shape in at most about `mostMs` ms. */
export function kernelsAt(shape: Shape, kernels: readonly WkvKernel[], mostMs: number): readonly WkvKernel[] {
  return kernels.filter((kernel) => reasonAgainst(kernel, shape, mostMs) === null);
}

/** A sentence for each kernel and reason, with the shapes at which it is left out. */
export function leftOut(kernels: readonly WkvKernel[], mostMs: number): readonly string[] {
  return kernels.flatMap((kernel) => {
    const byReason = Map.groupBy(shapes, (shape) => reasonAgainst(kernel, shape, mostMs));
    return [...byReason].filter(([reason]) => reason !== null).map(([reason, at]) =>
      `${labelOf(kernel)} is left out at ${at.map(nameOf).join(", ")}: ${reason}.`
    );
  });
}

/** Prepares a kernel, runs it once and checks the result. */
export async function prepare(kernel: WkvKernel, shape: Shape, inputs: Inputs): Promise<Prepared> {
  const prepared = kernel.prepare(shape, inputs);
  await prepared.run();
  const output = prepared.output();
  if (output !== null) checkOutput(labelOf(kernel), shape, inputs, await output, kernel.checked);
  return prepared;
}

/** Short, since there are many shapes, and caches hold only a small part of the data of a run. */
const effort: Effort = { warmUpMs: 0, leadInMs: 0, sampleMs: 4, rounds: 7, budgetMs: Infinity };

/** Times all kernels in turn at each shape, except those that {@linkcode leftOut} names. */
export async function measureWkv(
  kernels: readonly WkvKernel[],
  mostMs: number,
  progress: Progress = () => {},
): Promise<WkvRow[]> {
  const rows: WkvRow[] = [];
  for (const [i, shape] of shapes.entries()) {
    const chosen = kernelsAt(shape, kernels, mostMs);
    const inputs = chosen.length === 0 ? null : makeInputs(shape);
    const runs: Prepared[] = [];
    try {
      for (const kernel of chosen) runs.push(await prepare(kernel, shape, inputs!));
      const samples = await roundRobin(runs, effort);
      rows.push(...chosen.map((kernel, j) => rowOf(kernel, shape, median(samples[j]))));
    } finally {
      runs.forEach((run) => run.free());
    }
    progress(i + 1, shapes.length);
  }
  return rows;
}

function rowOf(kernel: WkvKernel, shape: Shape, medianMs: number): WkvRow {
  return {
    backend: kernel.backend,
    kernel: kernel.kernel,
    ...shape,
    medianMs,
    gbPerS: kernel.nominalBytes(shape) / medianMs / 1e6,
    trafficGbPerS: kernel.trafficBytes(shape) / medianMs / 1e6,
  };
}
