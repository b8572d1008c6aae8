import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { GpuPool } from "../../../src/backends/webgpu/pool.ts";
import { anySize } from "../sizes.ts";

/** A device whose buffers have no memory, and which refuses sizes above its limits as a real one does. */
function pretendedDevice(maxBufferSize: number, maxStorageBufferBindingSize: number) {
  const sizes: number[] = [];
  const device = {
    limits: { maxBufferSize, maxStorageBufferBindingSize },
    createBuffer({ size }: GPUBufferDescriptor) {
      assert(
        Number.isSafeInteger(size) && size % 4 === 0 && size <= maxBufferSize,
        `a buffer of ${size} bytes`,
      );
      sizes.push(size);
      return { size, destroy() {} };
    },
  };
  return { device: device as unknown as GPUDevice, sizes };
}

Deno.test("GpuPool allocates blocks of any size up to the device's limit, and refuses larger ones", () => {
  fc.assert(
    fc.property(anySize, anySize, fc.array(anySize, { minLength: 1, maxLength: 20 }), (a, b, requests) => {
      const maxBufferSize = Math.max(2 ** 10, a), maxBindingSize = Math.max(2 ** 10, b);
      const most = Math.min(maxBufferSize, maxBindingSize, 2 ** 32);
      const { device, sizes } = pretendedDevice(maxBufferSize, maxBindingSize);
      const pool = new GpuPool(device, () => {});
      // Half of the sizes are near the limit, where errors are likely.
      for (const size of requests.flatMap((size) => [size, Math.floor(most / 4) + size % 9 - 4])) {
        const created = sizes.length;
        if (4 * size <= most) {
          const block = pool.take(size);
          assert(block.buffer.size >= 4 * size, `${block.buffer.size} bytes for ${size} floats`);
          pool.give(block, size);
          assertEquals(pool.take(size), block);
          pool.give(block, size);
        } else {
          const error = assertThrows(() => pool.take(size), RangeError);
          const words = "Cannot allocate tensor: its bytes must be at most ";
          assert(error.message.startsWith(words) && error.message.includes(` of ${most}, `), error.message);
          assert(error.message.endsWith(`, current size is ${4 * size}, with 0 bytes in use`), error.message);
          assertEquals(sizes.length, created);
        }
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("GpuPool provides buffers for reading any size that it allocates", () => {
  fc.assert(
    fc.property(anySize, fc.nat(64), (limit, less) => {
      const maxBufferSize = Math.max(2 ** 10, limit);
      const pool = new GpuPool(pretendedDevice(maxBufferSize, maxBufferSize).device, () => {});
      const bytes = 4 * (Math.floor(maxBufferSize / 4) - less);
      const staging = pool.takeStaging(bytes);
      assert(staging.size >= bytes, `${staging.size} for ${bytes}`);
      pool.giveStaging(staging);
      assertEquals(pool.takeStaging(bytes), staging);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("GpuPool reports the bytes in use when it refuses", () => {
  const pool = new GpuPool(pretendedDevice(2 ** 20, 2 ** 19).device, () => {});
  pool.take(100);
  assertThrows(
    () => pool.take(2 ** 30 + 1),
    RangeError,
    "Cannot allocate tensor: its bytes must be at most the device's maxStorageBufferBindingSize of 524288, " +
      "current size is 4294967300, with 448 bytes in use",
  );
});
