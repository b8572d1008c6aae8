import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  createReference,
  createWasm,
  evaluate,
  generate,
  lstmModel,
  presets,
  put,
  read,
  readFloat64,
  rwkv,
  sigmoid,
  type Tensor,
  tensor,
} from "@seqmix/seqmix";
import { EventLoopTurns } from "../src/event_loop.ts";

const lstmParams = lstmModel.init({ vocabulary: 5, layers: 1, channels: 2 }, 1);

/** Repeats `step` and awaits nothing else, until a timer has fired or a second has passed. */
async function timerFires(step: () => Promise<unknown> | undefined): Promise<boolean> {
  let fired = false;
  const timer = setTimeout(() => fired = true, 1);
  const end = performance.now() + 1000;
  while (!fired && performance.now() < end) await step();
  clearTimeout(timer);
  return fired;
}

Deno.test("EventLoopTurns lets timers fire in a computation that awaits nothing else", async () => {
  assert(!await timerFires(() => Promise.resolve()));
  const turns = new EventLoopTurns();
  assert(await timerFires(() => turns.due()));
});

Deno.test("EventLoopTurns has no turn due if the event loop turns anyway", async () => {
  const turns = new EventLoopTurns();
  for (let i = 0; i < 20; i++) {
    assertEquals(turns.due(), undefined);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
});

Deno.test("EventLoopTurns has a turn due when one is requested", async () => {
  const turns = new EventLoopTurns();
  assertEquals(turns.due(), undefined);
  let asked = 0;
  turns.want(() => ++asked < 3);
  const turn = turns.due();
  assert(turn !== undefined);
  await turn;
  // As many turns as were requested, and no more.
  assertEquals(asked, 3);
  assertEquals(turns.due(), undefined);
  turns.want(() => true);
  await turns.due();
  assertEquals(turns.due(), undefined);
});

Deno.test("EventLoopTurns throws the signal's reason before a turn and after it", async () => {
  const turns = new EventLoopTurns();
  const { signal } = new AbortController();
  assertEquals(turns.pause(signal), undefined);
  const reason = new Error("enough");
  assertThrows(() => turns.pause(AbortSignal.abort(reason)), Error, "enough");
  const controller = new AbortController();
  turns.want(() => false);
  const turn = turns.pause(controller.signal);
  controller.abort(reason);
  await assertRejects(async () => await turn, Error, "enough");
});

Deno.test("EventLoopTurns uses messages for turns on a hidden page", async () => {
  const turns = new EventLoopTurns();
  const page = globalThis as { document?: unknown };
  page.document = { hidden: true };
  try {
    let heard = false;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => heard = true;
    port2.postMessage(null);
    await turns.turn();
    assert(heard);
    port1.close();
  } finally {
    delete page.document;
  }
});

/** Each alone is too short to turn the event loop; together they would keep a thread busy. */
const short: readonly (readonly [string, () => Promise<unknown>])[] = [
  ["put", () => put(tensor([1], [1]), createReference())],
  ["evaluate", () => evaluate(lstmModel, lstmParams, [[1, 2]])],
  ["generate", () => generate(lstmModel, lstmParams, [1], { maxTokens: 1 }).next()],
];
for (const [name, call] of short) {
  Deno.test(`${name}() lets timers fire in a loop of short calls`, async () => {
    assert(await timerFires(call));
  });
}

Deno.test("generate() obeys a signal in a loop of short calls", async () => {
  const signal = AbortSignal.timeout(20), end = performance.now() + 5000;
  await assertRejects(async () => {
    while (performance.now() < end) {
      await generate(lstmModel, lstmParams, [1], { maxTokens: 1, signal }).next();
    }
  }, DOMException);
});

for (const [name, reading] of [["read", read], ["readFloat64", readFloat64]] as const) {
  Deno.test(`${name}() lets timers fire in a user-written loop`, async () => {
    const x = tensor([1], [1]);
    assert(await timerFires(() => reading(x)));
  });
}

Deno.test("read() in some steps lets unreachable results of all steps be freed", async () => {
  using backend = await createWasm({ maximumBytes: 2 ** 25 });
  let x = tensor(new Float32Array(100_000), [100_000], backend);
  for (let i = 0; i < 1000; i++) {
    x = sigmoid(x);
    if (i % 20 === 0) await read(x);
  }
});

/** The README's loop, which frees nothing: in total it needs a thousand times the limit. */
Deno.test("read() lets unreachable results be freed in a user-written loop", async () => {
  using backend = await createWasm({ maximumBytes: 2 ** 24 });
  const config = { ...presets.matched.rwkv, vocabulary: 4096 };
  const params = await put(rwkv.init(config, 1), backend);
  let state = rwkv.initialState(params);
  for (let i = 0; i < 3000; i++) {
    const { logits, state: next } = rwkv.forward(params, [[i % 4096]], state);
    await read(logits);
    state = next;
  }
});

Deno.test("a loop without turns of the event loop gets an error that says what its results wait for", async () => {
  using backend = await createWasm({ maximumBytes: 2 ** 24 });
  const x = tensor(new Float32Array(2 ** 16), [2 ** 16], backend);
  const held: Tensor[] = [];
  const error = assertThrows(() => {
    for (let i = 0; i < 1000; i++) held[0] = sigmoid(x);
  }, RangeError);
  assert(
    /results that were not freed wait for the event loop \(await, or use scope and free\)$/.test(
      error.message,
    ),
    error.message,
  );
  // After a turn there is memory again.
  await new Promise((resolve) => setTimeout(resolve));
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals((await read(sigmoid(x))).length, 2 ** 16);
});
