/**
 * Measures the time of a GPU's work.
 *
 * @module
 */

/** Uses the GPU's own clock if the device has `timestamp-query`, and waits otherwise. */
export class Stopwatch {
  readonly #device: GPUDevice;
  readonly #clock:
    | { readonly stamps: GPUQuerySet; readonly resolved: GPUBuffer; readonly mapped: GPUBuffer }
    | null;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#clock = !device.features.has("timestamp-query") ? null : {
      stamps: device.createQuerySet({ type: "timestamp", count: 2 }),
      resolved: device.createBuffer({
        size: 16,
        usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
      }),
      mapped: device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }),
    };
  }

  get hasClock(): boolean {
    return this.#clock !== null;
  }

  /**
   * The time in ms of the work that `submit` submits. It is submitted twice and only the second is measured: the
   * first keeps the GPU busy until the second has arrived.
   */
  async time(submit: () => void): Promise<number> {
    if (this.#clock === null) {
      submit();
      await this.#device.queue.onSubmittedWorkDone();
      const start = performance.now();
      submit();
      await this.#device.queue.onSubmittedWorkDone();
      return performance.now() - start;
    }
    const { stamps, resolved, mapped } = this.#clock;
    submit();
    this.#stamp(0);
    submit();
    this.#stamp(1);
    const encoder = this.#device.createCommandEncoder();
    encoder.resolveQuerySet(stamps, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, mapped, 0, 16);
    this.#device.queue.submit([encoder.finish()]);
    await mapped.mapAsync(GPUMapMode.READ);
    const [start, end] = new BigUint64Array(mapped.getMappedRange().slice(0));
    mapped.unmap();
    return Number(end - start) / 1e6;
  }

  dispose(): void {
    this.#clock?.stamps.destroy();
    this.#clock?.resolved.destroy();
    this.#clock?.mapped.destroy();
  }

  /** An empty pass, which ends after everything before it. */
  #stamp(index: number): void {
    const encoder = this.#device.createCommandEncoder();
    const timestampWrites = { querySet: this.#clock!.stamps, endOfPassWriteIndex: index };
    encoder.beginComputePass({ timestampWrites }).end();
    this.#device.queue.submit([encoder.finish()]);
  }
}
