/**
 * Caches compiled shaders for each device: compiling one takes longer than most computations.
 *
 * @module
 */

/** A compiled shader and the layout of its bindings. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** By device and WGSL, shared by all backends of a device. */
const compiled = new WeakMap<GPUDevice, Map<string, Pipeline>>();

/** The pipelines of a device. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #known: Map<string, Pipeline>;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#known = compiled.get(device) ?? new Map();
    compiled.set(device, this.#known);
  }

  /** The pipeline of this WGSL, which always has the same numbers of outputs, inputs and scalars. */
  get(code: string, outputs: number, inputs: number, scalars: number): Pipeline {
    let pipeline = this.#known.get(code);
    if (pipeline === undefined) {
      pipeline = this.#compile(code, outputs, inputs, scalars);
      this.#known.set(code, pipeline);
    }
    return pipeline;
  }

  /** Compiles with an explicit layout, because the uniform values of each dispatch have their own offset. */
  #compile(code: string, outputs: number, inputs: number, scalars: number): Pipeline {
    const visibility = GPUShaderStage.COMPUTE;
    const buffers = Array.from({ length: outputs + inputs + scalars }, (_, i): GPUBindGroupLayoutEntry => ({
      binding: 1 + i,
      visibility,
      buffer: { type: i < outputs ? "storage" : i < outputs + inputs ? "read-only-storage" : "uniform" },
    }));
    const layout = this.#device.createBindGroupLayout({
      entries: [{ binding: 0, visibility, buffer: { type: "uniform", hasDynamicOffset: true } }, ...buffers],
    });
    const pipeline = this.#device.createComputePipeline({
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: this.#device.createShaderModule({ code }), entryPoint: "main" },
    });
    return { pipeline, layout };
  }
}
