import { assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import {
  add,
  createWasm,
  linear,
  loadTree,
  presets,
  put,
  read,
  rwkv,
  saveTree,
  tensor,
} from "@seqmix/seqmix";
import { assertSame, type Failure, testFailures, wrong } from "../../helpers.ts";

Deno.test("createWasm() keeps every tensor unchanged when its memory grows", async () => {
  using backend = await createWasm();
  const first = tensor([1, 2, 3], [3], backend);
  const large = tensor(new Float32Array(2 ** 22).fill(7), [2 ** 22], backend);
  assertSame(await read(first), [1, 2, 3]);
  assertSame(await read(add(first, first)), [2, 4, 6]);
  assertEquals((await read(large)).every((x) => x === 7), true);
});

Deno.test("createWasm() refuses an allocation that exceeds its memory, keeps its tensors, and continues", async () => {
  using backend = await createWasm({ maximumBytes: 2 ** 20 });
  const x = tensor([1, 2], [2], backend);
  const { bytes } = backend.memory();
  assertThrows(
    () => tensor(new Float32Array(2 ** 20), [2 ** 20], backend),
    RangeError,
    `Cannot allocate tensor: WebAssembly memory must have room for 4194304 bytes, current use is ${bytes} of 1048576 bytes`,
  );
  assertEquals(backend.memory().bytes, bytes);
  assertSame(await read(add(x, x)), [2, 4]);
});

Deno.test("createWasm() runs a model after one that exceeded its memory", async () => {
  using backend = await createWasm({ maximumBytes: 2 ** 20 });
  const large = rwkv.init(presets.article.rwkv, 1);
  await assertRejects(() => put(large, backend), RangeError, "Cannot allocate tensor: ");
  assertThrows(() => loadTree(saveTree(large), backend), RangeError, "Cannot allocate tensor: ");
  assertEquals(backend.memory().bytes, 0);

  const params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
  const state = rwkv.initialState(params);
  const { bytes } = backend.memory();
  assertThrows(() => rwkv.forward(params, [new Uint8Array(4000)], state), RangeError);
  assertEquals(backend.memory().bytes, bytes);
  assertEquals(rwkv.forward(params, [[1, 2]], state).logits.shape, [1, 2, 64]);
});

/** Runs a body with a new `createWasm`, in a runtime with a replaced property. */
async function createWhere<T extends object, R>(
  place: T,
  name: keyof T,
  value: unknown,
  body: (create: typeof createWasm) => Promise<R>,
): Promise<R> {
  const own = Object.getOwnPropertyDescriptor(place, name)!;
  Object.defineProperty(place, name, { ...own, value });
  try {
    const anew: { createWasm: typeof createWasm } = await import(
      `../../../src/backends/wasm/mod.ts?${crypto.randomUUID()}`
    );
    return await body(anew.createWasm);
  } finally {
    Object.defineProperty(place, name, own);
  }
}

/** Sums of products, which distinguish the builds: one rounds more often. */
async function sums(create: typeof createWasm, simd?: "relaxed" | "baseline"): Promise<number[]> {
  using backend = await create({ simd });
  const weight = tensor(Float32Array.from({ length: 640 }, (_, i) => Math.sin(i)), [10, 64], backend);
  const x = tensor(Float32Array.from({ length: 64 }, (_, i) => Math.cos(3 * i)), [1, 1, 64], backend);
  return Array.from(await read(linear(x, weight)));
}

Deno.test("createWasm() works the same without Uint8Array.fromHex", async () => {
  assertEquals(await createWhere(Uint8Array, "fromHex", undefined, sums), await sums(createWasm));
});

Deno.test("createWasm() uses the best instructions that a runtime supports, and reports if there are none", async () => {
  const { validate } = WebAssembly;
  const isSimd = (bytes: Uint8Array<ArrayBuffer>) => validate(bytes) && !`${bytes}`.includes("253,133,2,");
  const [relaxed, baseline] = [await sums(createWasm, "relaxed"), await sums(createWasm, "baseline")];
  assertNotEquals(relaxed, baseline);
  assertEquals(await sums(createWasm), relaxed);
  assertEquals(await createWhere(WebAssembly, "validate", isSimd, sums), baseline);
  const lacks = "Cannot create wasm: the runtime must have WebAssembly";
  await createWhere(WebAssembly, "validate", isSimd, async (create) => {
    const reason = `${lacks} relaxed SIMD, current runtime has none`;
    await assertRejects(() => create({ simd: "relaxed" }), TypeError, reason);
  });
  await createWhere(WebAssembly, "validate", () => false, async (create) => {
    await assertRejects(() => create(), TypeError, `${lacks} SIMD, current runtime has none`);
    await assertRejects(
      () => create({ simd: "baseline" }),
      TypeError,
      `${lacks} SIMD, current runtime has none`,
    );
  });
});

testFailures("createWasm()", [
  ...[0, 65_535, 2 ** 32, 1e5 + 0.5, NaN].map((maximumBytes): Failure => [
    `maximumBytes ${maximumBytes}`,
    () => createWasm({ maximumBytes }),
    RangeError,
    `Cannot create wasm: maximumBytes must be an integer from 65536 to 4294901760, current value is ${maximumBytes}`,
  ]),
  [
    "maximumBytes no number",
    () => createWasm({ maximumBytes: wrong("1e6") }),
    TypeError,
    'Cannot create wasm: maximumBytes must be a number, current value is "1e6"',
  ],
  [
    "simd",
    () => createWasm({ simd: wrong("wide") }),
    TypeError,
    'Cannot create wasm: simd must be "relaxed" or "baseline", current simd is "wide"',
  ],
]);
