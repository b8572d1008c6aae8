/** Tests that need a GPU, or a software adapter instead. */

const adapter = await navigator.gpu?.requestAdapter() ?? null;
const required = Deno.env.get("REQUIRE_WEBGPU") === "1";
if (adapter === null && !required) console.error("Nothing is tested on webgpu: there is no adapter");

/** A device that a test's backend may share or lose. */
export async function requestDevice(): Promise<GPUDevice> {
  const fresh = await navigator.gpu.requestAdapter();
  if (fresh === null) throw new Error("REQUIRE_WEBGPU is 1, and there is no adapter");
  return await fresh.requestDevice();
}

/** A test that is skipped without an adapter, and fails if REQUIRE_WEBGPU is set. */
export function testOnGpu(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: adapter === null && !required, fn });
}

/** Makes a device count the buffers that it creates and destroys. */
export function countBuffers(device: GPUDevice): { created: number; destroyed: number } {
  const count = { created: 0, destroyed: 0 };
  const createBuffer = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    count.created++;
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      count.destroyed++;
      return destroy();
    };
    return buffer;
  };
  return count;
}
