/** Objects of a page are accepted by the library: type-checked with the DOM's declarations. */
import { createWebGpu, evaluate, fit, generate, presets, rwkv, type Tensor } from "@seqmix/seqmix";

export async function use(device: GPUDevice, { signal }: AbortController, test: number[][]): Promise<Tensor> {
  using backend = await createWebGpu({ device });
  const params = rwkv.init(presets.matched.rwkv, 1);
  await evaluate(rwkv, params, test, { signal });
  for await (const id of generate(rwkv, params, [1], { signal })) if (id === 0) break;
  const worker = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const module = new URL("./model.js", import.meta.url);
  for await (
    const at of fit(rwkv, { train: test }, { params, backend, signal, workers: 2, worker, module })
  ) {
    return at.params.head;
  }
  return params.head;
}
