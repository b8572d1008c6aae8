/** Runs single shaders. Without a GPU adapter their tests are skipped; with REQUIRE_WEBGPU=1 they fail. */
import { type Dispatch, type Gpu, type GpuBlock, GpuQueue } from "../../src/backends/webgpu/gpu.ts";
import { GpuPool } from "../../src/backends/webgpu/pool.ts";
import { assertSame, type Numbers } from "../helpers.ts";

const device = await openDevice();
const required = Deno.env.get("REQUIRE_WEBGPU") === "1";
if (device === null) {
  console.error("The tests of the shaders by themselves need a GPU adapter, and there is none");
}

async function openDevice(): Promise<GPUDevice | null> {
  const adapter = await globalThis.navigator?.gpu?.requestAdapter();
  return await adapter?.requestDevice() ?? null;
}

/** A test that is given a GPU for kernels. */
export function testOnGpu(name: string, body: (bench: GpuBench, t: Deno.TestContext) => Promise<void>): void {
  Deno.test({
    name,
    ignore: device === null && !required,
    async fn(t) {
      if (device === null) throw new Error("Cannot test shaders: there must be a GPU adapter");
      const bench = new GpuBench(device);
      try {
        await body(bench, t);
      } finally {
        bench.dispose();
      }
    },
  });
}

const guardWords = 8, guard = 12345.678;

/** Runs kernels on numbers, with memory around their arguments. */
export class GpuBench {
  readonly #pool: GpuPool;
  readonly queue: GpuQueue;

  constructor(device: GPUDevice) {
    this.#pool = new GpuPool(device, () => this.queue.submit());
    this.queue = new GpuQueue(device, this.#pool);
  }

  dispose(): void {
    this.queue.dispose();
    this.#pool.dispose();
  }

  /**
   * Calls a kernel. Outputs start as NaN, so that unwritten elements show; the memory behind them must not change.
   *
   * @param sizes the numbers of elements of the outputs
   * @param constants the kernel's arguments after its inputs
   * @returns the outputs
   */
  async run(
    // The arguments of every kernel are outputs, inputs, sizes, constants, which no single type can express.
    kernel: (gpu: Gpu, ...args: never[]) => void,
    sizes: readonly number[],
    inputs: readonly Numbers[],
    constants: readonly number[],
    gpu: Gpu = this.queue,
  ): Promise<Float64Array[]> {
    const outputs = sizes.map((size) => this.#put(new Float32Array(size).fill(NaN), guard));
    const copies = inputs.map(({ data }) => this.#put(data, NaN));
    kernel(gpu, ...[...outputs, ...copies, ...constants] as never[]);
    const blocks = [...outputs, ...copies];
    const lengths = [...sizes, ...inputs.map(({ data }) => data.length)].map((size) => size + guardWords);
    const all = await Promise.all(blocks.map((block, i) => this.queue.read(block, lengths[i])));
    blocks.forEach((block, i) => this.#pool.give(block, lengths[i]));
    const results = all.slice(0, sizes.length);
    all.slice(sizes.length).forEach((read, i) => {
      assertSame(read, guarded(inputs[i].data, NaN), `input ${i} afterwards`);
    });
    results.forEach((read, i) => {
      assertSame(read.subarray(sizes[i]), guarded([], guard), `guard of output ${i}`);
    });
    return results.map((read, i) => Float64Array.from(read.subarray(0, sizes[i])));
  }

  #put(data: ArrayLike<number>, word: number): GpuBlock {
    const block = this.#pool.take(data.length + guardWords);
    this.queue.write(block, guarded(data, word));
    return block;
  }
}

/** The same GPU, with the number of its dispatches. */
export function watched(gpu: Gpu, onDispatch: (run: Dispatch) => void, limits = gpu.limits): Gpu {
  return {
    limits,
    dispatch(run) {
      onDispatch(run);
      gpu.dispatch(run);
    },
    withScratch: (size, body) => gpu.withScratch(size, body),
    table: (name, make) => gpu.table(name, make),
  };
}

function guarded(data: ArrayLike<number>, word: number): Float32Array<ArrayBuffer> {
  const all = new Float32Array(data.length + guardWords).fill(word);
  all.set(data);
  return all;
}
