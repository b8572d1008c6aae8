/** Matrices that one row is multiplied with many times: a device may put them in another order, which nobody sees. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Backend,
  createWasm,
  crossEntropy,
  linear,
  put,
  read,
  rwkv,
  type RwkvParams,
  type Tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import { patience } from "../../src/backends/tensor_store.ts";
import { tensorsOf } from "../../src/tree.ts";
import { assertSame, testOnAll } from "../helpers.ts";
import { draws, moved } from "../mixers.ts";

/** So many products are more than enough, where a device has another order. */
const enough = (backend: Backend) => backend.name === "wasm" ? 2 * patience + 2 : 5;

function isInterleaved(t: Tensor): boolean {
  return (t as Tensor & { readonly interleaved?: boolean }).interleaved === true;
}

testOnAll("linear() gives the same bits however often a row meets a matrix", async (backend) => {
  const weight = await put(draws(1, [21, 13]), backend), x = await put(draws(2, [1, 13]), backend);
  const numbers = await read(weight), first = await read(linear(x, weight)), { bytes } = backend.memory();
  for (let i = 0; i < enough(backend); i++) {
    const y = linear(x, weight);
    if (i > enough(backend) - 3) assertSame(await read(y), first);
    backend.free(y);
  }
  assertEquals(backend.memory().bytes, bytes);
  assertEquals(isInterleaved(weight), backend.name === "wasm");
  assertSame(await read(weight), numbers);
  assertEquals(isInterleaved(weight), false);
  assertSame(await read(linear(x, weight)), first);
});

testOnAll(
  "linear() of a matrix that one row met often is right for several, and for gradients",
  async (backend) => {
    const weight = await put(draws(1, [21, 13]), backend), copy = await put(draws(1, [21, 13]), backend);
    const x = await put(draws(2, [1, 13]), backend), rows = await put(draws(3, [5, 13]), backend);
    const tokens = await put(draws(2, [1, 1, 13]), backend);
    const often = () => {
      for (let i = 0; i < enough(backend); i++) backend.free(linear(x, weight));
      assertEquals(isInterleaved(weight), backend.name === "wasm");
    };
    often();
    assertSame(await read(linear(rows, weight)), await read(linear(rows, copy)));
    often();
    const gradient = (w: Tensor) => valueAndGrad((w) => crossEntropy(linear(tokens, w), [[3]]), w).grads;
    assertSame(await read(gradient(weight)), await read(gradient(copy)));
  },
);

testOnAll("linear() refuses a freed matrix in any order", async (backend) => {
  if (backend.name === "reference") return;
  const weight = await put(draws(1, [21, 13]), backend), x = await put(draws(2, [1, 13]), backend);
  for (let i = 0; i < enough(backend); i++) backend.free(linear(x, weight));
  backend.free(weight);
  assertThrows(() => backend.scope(() => linear(x, weight)), TypeError, "must be alive");
  await assertRejects(async () => await read(weight), TypeError, "must be alive");
  backend.free(x);
  assertEquals(backend.memory().bytes, 0);
});

Deno.test("linear() and read() take no memory for the order of a matrix", async () => {
  using backend = await createWasm({ maximumBytes: 2 ** 20 });
  const weight = await put(draws(1, [64, 256]), backend), x = await put(draws(2, [1, 256]), backend);
  const numbers = await read(weight);
  backend.free(linear(x, weight));
  const y = linear(x, weight);
  // Up to the last block: what is made and freed below has just the room of one y.
  for (const size of [65_536, 4096, 64]) {
    for (let room = true; room;) {
      try {
        backend.upload(new Float32Array(size), [size]);
      } catch (error) {
        assert(error instanceof RangeError);
        room = false;
      }
    }
  }
  backend.free(y);
  for (let i = 0; i < enough(backend); i++) backend.free(linear(x, weight));
  assert(isInterleaved(weight));
  const held = linear(x, weight);
  assertThrows(() => linear(x, weight), RangeError);
  assertSame(await read(weight), numbers);
  assert(!isInterleaved(weight));
  backend.free(held);
});

const config = { vocabulary: 11, layers: 2, channels: 12, feedForward: 21 };

/** The logits of so many tokens, one at a time. */
async function decode(params: RwkvParams, count: number, backend: Backend): Promise<Float32Array[]> {
  const all: Float32Array[] = [];
  let state = rwkv.initialState(params);
  for (let i = 0; i < count; i++) {
    const next = rwkv.forward(params, [[i * i % 11]], state);
    all.push(await read(next.logits));
    backend.free([state, next.logits]);
    state = next.state;
  }
  backend.free(state);
  return all;
}

testOnAll("rwkv.forward() gives the same bits whatever it ran before", async (backend) => {
  const params = await put(moved(rwkv.init(config, 1), 1), backend);
  const whole = async () => {
    const y = backend.scope(() =>
      rwkv.forward(params, [[1, 2, 3], [4, 5, 6]], rwkv.initialState(params, 2)).logits
    );
    const numbers = await read(y);
    backend.free(y);
    return numbers;
  };
  const numbers = await Promise.all(tensorsOf(params).map((t) => read(t)));
  const { bytes } = backend.memory();
  const together = await whole(), tokens = await decode(params, enough(backend), backend);
  const { key } = params.blocks[1].channelMix;
  assertEquals(isInterleaved(key), backend.name === "wasm");
  assertEquals(await decode(params, enough(backend), backend), tokens);
  assertEquals(isInterleaved(key), backend.name === "wasm");
  // Several rows, and back.
  assertSame(await whole(), together);
  assertEquals(isInterleaved(key), false);
  assertEquals(await decode(params, enough(backend), backend), tokens);
  // A matrix that somebody else puts back, and one that somebody else has interleaved.
  assertSame(await read(key), await read(key));
  const x = await put(draws(2, [1, 12]), backend);
  assertEquals(await decode(params, 5, backend), tokens.slice(0, 5));
  for (let i = 0; i < enough(backend); i++) backend.free(linear(x, key));
  assertEquals(await decode(params, enough(backend), backend), tokens);
  backend.free(x);
  for (const [i, t] of tensorsOf(params).entries()) assertSame(await read(t), numbers[i]);
  assertEquals(backend.memory().bytes, bytes);
});

testOnAll("rwkv.forward() of two models that share matrices gives what each gives", async (backend) => {
  const params = await put(moved(rwkv.init(config, 1), 1), backend);
  const turned = { ...params, blocks: [...params.blocks].reverse() };
  const copies = await put(turned, backend);
  const [own, other] = [
    await decode(params, enough(backend), backend),
    await decode(copies, enough(backend), backend),
  ];
  for (let turn = 0; turn < 2; turn++) {
    assertEquals(await decode(params, enough(backend), backend), own);
    assertEquals(await decode(turned, enough(backend), backend), other);
  }
});

Deno.test("rwkv.forward() interleaves its matrices beside models that come and go", async () => {
  using backend = await createWasm();
  const params = await put(moved(rwkv.init(config, 1), 1), backend);
  let state = rwkv.initialState(params);
  for (let i = 0; i < enough(backend); i++) {
    if (i % 10 === 0) {
      const other = await put(moved(rwkv.init(config, 2), 2), backend);
      backend.free([other, rwkv.forward(other, [[1]], rwkv.initialState(other))]);
    }
    const { state: next } = rwkv.forward(params, [[1]], state);
    backend.free(state);
    state = next;
  }
  for (const { timeMix, channelMix } of params.blocks) {
    assert([timeMix.key, timeMix.output, channelMix.key, channelMix.value].every(isInterleaved));
  }
});
