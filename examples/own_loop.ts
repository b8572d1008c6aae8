/**
 *     deno run examples/own_loop.ts
 *
 * User-written loops: a training step and a token stream, both compiled, in which each step frees what it replaces.
 * Memory then stays exactly constant after the first step. Without `free` the loops work too: unreachable tensors are
 * garbage-collected while the loop awaits `read`, but at an unknown time.
 */
import {
  adamW,
  clipByGlobalNorm,
  compile,
  createWasm,
  crossEntropy,
  presets,
  put,
  read,
  rwkv,
  sample,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";

using backend = await createWasm();
let params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
type Params = typeof params;
// Numbers are part of what is compiled, so what changes from step to step, such as the count of steps, is a tensor.
let optimizer = { ...adamW.init(params), step: tensor([0], [], backend) };
type Optimizer = typeof optimizer;

using train = compile((params: Params, optimizer: Optimizer, inputs: number[][], targets: number[][]) => {
  const { value, grads } = valueAndGrad(
    (params) => crossEntropy(rwkv.forward(params, inputs, rwkv.initialState(params)).logits, targets),
    params,
  );
  const next = adamW.update(clipByGlobalNorm(grads, 1), optimizer, params, { learningRate: 3e-3 });
  return { value, params: next.params, optimizer: next.state };
});

// Counting modulo 10: one sequence of 32 tokens, and the token after each.
const inputs = [Array.from({ length: 32 }, (_, t) => t % 10)];
const targets = [Array.from({ length: 32 }, (_, t) => (t + 1) % 10)];
for (let step = 1; step <= 200; step++) {
  const { value, ...next } = train(params, optimizer, inputs, targets);
  backend.free([params, optimizer]);
  ({ params, optimizer } = next);
  // Awaited in every step, so that timers fire, signals are handled and pages paint.
  const [loss] = await read(value);
  backend.free(value);
  if (step % 50 === 0) {
    console.log(`step ${step}: loss ${loss.toFixed(3)}, ${backend.memory().bytes} bytes held`);
  }
}

let state = rwkv.initialState(params), id = 0;
type State = typeof state;
using draw = compile((params: Params, ids: number[][], state: State) => {
  const { logits, state: next } = rwkv.forward(params, ids, state);
  return { drawn: sample(logits, { temperature: 0 }), next };
});
const ids: number[] = [];
for (let step = 0; step < 20; step++) {
  const { drawn, next } = draw(params, [[id]], state);
  [id] = await read(drawn);
  backend.free([drawn, state]);
  state = next;
  ids.push(id);
}
console.log(ids.join(" "));
