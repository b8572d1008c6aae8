/**
 *     deno run examples/state_tuning.ts
 *
 * Tunes only the initial state of a trained RWKV: a few hundred numbers that make the model expect one kind of
 * sequence, while its parameters stay unchanged.
 */
import {
  adamW,
  createWasm,
  crossEntropy,
  fit,
  motifTask,
  parameterCount,
  read,
  rwkv,
  type RwkvParams,
  type RwkvState,
  sampleSequences,
  stackStates,
  type Tensor,
  tensor,
  treeMap,
  valueAndGrad,
} from "@seqmix/seqmix";

using backend = await createWasm();
const task = motifTask({ motifs: 8, longestCycle: 3 }, 1);

// A model of sequences that may contain any of the eight motifs.
const train = sampleSequences(task, { count: 512, length: 48, seed: 1 });
const config = { vocabulary: 64, layers: 2, channels: 32, feedForward: 128 };
let params: RwkvParams;
for await (const at of fit(rwkv, { train }, { config, backend, epochs: 20, learningRate: 5e-3 })) {
  params = at.params;
}

// Sequences of only two of the motifs. The model has to infer from each sequence which motifs it contains; an initial
// state can store that.
const two = { config: { ...task.config, motifs: 2, longestCycle: 2 }, bank: task.bank.slice(0, 2) };
const tuneOn = sampleSequences(two, { count: 32, length: 25, seed: 2 });
const testOn = sampleSequences(two, { count: 64, length: 25, seed: 3 });

/** The mean loss of sequences that all start from the same state. */
function loss(state: RwkvState, sequences: readonly Uint16Array[]): Tensor {
  const inputs = sequences.map((tokens) => tokens.slice(0, -1));
  const targets = sequences.map((tokens) => tokens.slice(1));
  const states = stackStates(sequences.map(() => state));
  return crossEntropy(rwkv.forward(params, inputs, states).logits, targets);
}

async function testLoss(state: RwkvState): Promise<number> {
  const value = backend.scope(() => loss(state, testOn));
  const [number] = await read(value);
  backend.free(value);
  return number;
}

/**
 * Keeps a WKV state [1, 4, C] valid: numerator, denominator of at least 0, anchor and age 0. (The usual initial state
 * has its anchor at -1e38, so small that the other two have no effect, and their gradient is 0.)
 */
async function project(state: RwkvState): Promise<RwkvState> {
  const project = async (t: Tensor) => {
    const [, , C] = t.shape;
    const values = (await read(t)).map((x, i) => i < C ? x : i < 2 * C ? Math.max(0, x) : 0);
    return tensor(values, t.shape, backend);
  };
  const blocks = await Promise.all(state.blocks.map(async ({ timeMix, channelMix }) => ({
    timeMix: { shift: timeMix.shift, wkv: await project(timeMix.wkv) },
    channelMix,
  })));
  return { blocks };
}

const fresh = rwkv.initialState(params!);
const before = await testLoss(fresh);

let state = treeMap(fresh, (t) => tensor(new Float32Array(parameterCount(t)), t.shape, backend));
let optimizer = adamW.init(state);
for (let step = 0; step < 150; step++) {
  const { value, grads } = valueAndGrad((state) => loss(state, tuneOn), state);
  const next = adamW.update(grads, optimizer, state, { learningRate: 0.03, weightDecay: 0 });
  if (step % 25 === 0) console.log(`step ${step}: loss ${(await read(value))[0].toFixed(3)}`);
  const projected = await project(next.params);
  backend.free([value, grads, optimizer, state, next.params.blocks.map(({ timeMix }) => timeMix.wkv)]);
  state = projected;
  optimizer = next.state;
}

const after = await testLoss(state);
console.log(
  `tuned an initial state of ${parameterCount(state)} numbers, without changing the ${
    parameterCount(params!)
  } parameters: the loss on other sequences of the two motifs was ${before.toFixed(3)} and is ${
    after.toFixed(3)
  }`,
);
if (!(after < 0.9 * before)) throw new Error("a tuned state must be better than the usual one");
