/** Tests that need a GPU, or software in its place. */

const adapter = await navigator.gpu?.requestAdapter() ?? null;
const required = Deno.env.get("REQUIRE_WEBGPU") === "1";
if (adapter === null && !required) console.error("Nothing is tested on webgpu: there is no adapter");

/** A device of the caller's own, that the backend of a test may share or lose. */
export async function requestDevice(): Promise<GPUDevice> {
  const fresh = await navigator.gpu.requestAdapter();
  if (fresh === null) throw new Error("REQUIRE_WEBGPU is 1, and there is no adapter");
  return await fresh.requestDevice();
}

/** A test that is skipped where there is no adapter, and fails there where there must be one. */
export function testOnGpu(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: adapter === null && !required, fn });
}

/** Makes a device count the buffers that it creates and those that are destroyed. */
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
