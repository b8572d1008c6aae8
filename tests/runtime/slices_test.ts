import { assertEquals } from "@std/assert";
import type { Call, Slot } from "../../src/runtime/recording.ts";
import { slicesOf } from "../../src/runtime/slices.ts";

function call(...sizes: number[]): Call {
  const slot = (size: number): Slot => ({ index: 0, size, kind: "made", madeAt: 0, releasedAt: 1 });
  return { kernel: "tanh", args: [...sizes.map(slot), 1e9, null] };
}

const small = call(10, 10), large = call(2 ** 16, 1);

Deno.test("slicesOf() separates each large call, also after many small ones", () => {
  assertEquals(slicesOf([small, small, small, large, large, small, small]), [0, 3, 4, 5, 7]);
});

Deno.test("slicesOf() combines 64 small calls, or fewer if they are larger", () => {
  assertEquals(slicesOf(Array(150).fill(small)), [0, 64, 128, 150]);
  assertEquals(slicesOf(Array(5).fill(call(2 ** 14, 2 ** 14))), [0, 2, 4, 5]);
});

Deno.test("slicesOf() of no calls is empty", () => {
  assertEquals(slicesOf([]), [0]);
});
