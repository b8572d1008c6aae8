/** The blocks of RWKV in the model. A backend that caches weights must notice that they changed. */
import { assertThrows } from "@std/assert";
import {
  createReference,
  crossEntropy,
  put,
  read,
  rwkv,
  type RwkvParams,
  type RwkvState,
  type Tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import { assertNear, assertSame, testOnAll } from "../helpers.ts";
import { draws, moved } from "../mixers.ts";

const config = { vocabulary: 11, layers: 3, channels: 6, feedForward: 10 };
const tokens = [[1, 5, 2], [7, 7, 0]];
const paramsOf = (seed: number, layers = 3) => moved(rwkv.init({ ...config, layers }, seed), seed);

function forward(params: RwkvParams, state: RwkvState = rwkv.initialState(params, 2)): Tensor {
  return rwkv.forward(params, tokens, state).logits;
}

/** The parameters with another tensor in place of one weight of a block. */
function withKey({ blocks, ...rest }: RwkvParams, at: number, key: Tensor): RwkvParams {
  const changed = blocks.map((block, i) =>
    i === at ? { ...block, channelMix: { ...block.channelMix, key } } : block
  );
  return { ...rest, blocks: changed };
}

async function assertReference(actual: Tensor, params: RwkvParams): Promise<void> {
  using reference = createReference({ precision: "float64" });
  assertNear(await read(actual), await read(forward(await put(params, reference))), 1e-5, "logits");
}

testOnAll("rwkv.forward() gives the same numbers the second time", async (backend) => {
  const params = await put(paramsOf(1), backend);
  assertSame(await read(forward(params)), await read(forward(params)));
  await assertReference(forward(params), params);
});

testOnAll("rwkv.forward() notices a replaced weight", async (backend) => {
  const params = await put(paramsOf(1), backend);
  forward(params);
  // Also of another width.
  for (const [at, features] of [[0, 10], [1, 10], [2, 3]]) {
    const { value } = params.blocks[at].channelMix;
    const other = withKey(params, at, await put(draws(3, [features, 6]), backend));
    if (features === 10) await assertReference(forward(other), other);
    else assertThrows(() => forward(other), TypeError, "params.value must be [6, 3]");
    await assertReference(forward(params), params);
    // In the same object, although its type forbids that.
    const channelMix = params.blocks[at].channelMix as { value: Tensor };
    channelMix.value = await put(draws(4, [6, 10]), backend);
    await assertReference(forward(params), params);
    channelMix.value = value;
  }
  const fewer = { ...params, blocks: params.blocks.slice(0, 2) };
  await assertReference(forward(fewer), fewer);
  await assertReference(forward(params), params);
});

testOnAll("rwkv.forward() refuses a weight that was freed since", async (backend) => {
  const params = await put(paramsOf(1), backend), others = await put(paramsOf(2), backend);
  forward(params), forward(others);
  backend.free(params.blocks[1].timeMix.output);
  // The next tensor may get the same memory.
  const next = await put(draws(5, [6, 6]), backend);
  if (backend.name !== "reference") assertThrows(() => forward(params), TypeError, "must be alive");
  await assertReference(forward(others), others);
  backend.free(next);
});

testOnAll("rwkv.forward() runs several models on one backend in turn", async (backend) => {
  const models = [await put(paramsOf(1), backend), await put(paramsOf(2, 1), backend)];
  for (let turn = 0; turn < 2; turn++) {
    for (const params of models) await assertReference(forward(params), params);
  }
});

testOnAll("rwkv.forward() can be recorded after it has run", async (backend) => {
  const params = await put(paramsOf(1), backend), state = rwkv.initialState(params, 2);
  forward(params, state);
  using float64 = createReference({ precision: "float64" });
  const [own, exact] = await Promise.all([backend, float64].map(async (backend) => {
    const [p, s] = [await put(params, backend), await put(state, backend)];
    const loss = (params: RwkvParams, state: RwkvState) => crossEntropy(forward(params, state), tokens);
    return [
      valueAndGrad((state) => loss(p, state), s).grads.blocks[0].channelMix.shift,
      valueAndGrad((params) => loss(params, s), p).grads.blocks[2].timeMix.key,
    ];
  }));
  for (const i of [0, 1]) assertNear(await read(own[i]), await read(exact[i]), 1e-4, `gradient ${i}`);
});
