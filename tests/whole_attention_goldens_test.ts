/** Attention that is not causal, and its gradients, equal PyTorch's. */
import {
  attention,
  type Backend,
  crossAttention,
  crossAttentionContext,
  multiHeadAttention,
  type MultiHeadAttentionParams,
  multiHeadAttentionState,
  read,
  type Tensor,
  tensor,
} from "@seqmix/seqmix";
import { vjp } from "../src/autodiff/mod.ts";
import { loadWholeAttention, mapNumbers, type Numbers } from "./fixtures/load.ts";
import { assertNear, testOnAll } from "./helpers.ts";

const { functions, layers } = loadWholeAttention();
const put = ({ data, shape }: Numbers, backend: Backend) => tensor(data, shape, backend);

/** The lists of a mask `[B, S]`. */
function listsOf(mask: Numbers | null): Float32Array[] | undefined {
  if (mask === null) return undefined;
  const [batch, time] = mask.shape;
  return Array.from({ length: batch }, (_, b) => mask.data.subarray(b * time, (b + 1) * time));
}

async function assertAll(
  actual: readonly Tensor[],
  expected: readonly Numbers[],
  what: string,
): Promise<void> {
  for (const [i, { data }] of expected.entries()) {
    assertNear(await read(actual[i]), data, 1e-5, `${what}, result ${i}`);
  }
}

testOnAll(
  "attention() of all keys and its gradient equal PyTorch's scaled_dot_product_attention",
  async (backend) => {
    for (const { heads, inputs, mask, y, gy, grads } of functions) {
      const shown = mask === null ? undefined : put(mask, backend);
      const { values, grads: found } = vjp(
        ([query, key, value]: readonly Tensor[]) => [
          attention(query, key, value, heads, { causal: false, mask: shown }),
        ],
        inputs.map((x) => put(x, backend)),
        [put(gy, backend)],
      );
      await assertAll([...values, ...found], [y, ...grads], `${inputs[0].shape} to ${inputs[1].shape}`);
    }
  },
);

testOnAll(
  "multiHeadAttention() of all steps and crossAttention() equal PyTorch's MultiheadAttention",
  async (backend) => {
    for (const { params, x, context, mask, y, gy, gx, gContext } of layers) {
      const own = mapNumbers(params, (n) => put(n, backend)) as MultiHeadAttentionParams;
      const options = { mask: listsOf(mask) };
      const { values, grads } = vjp(
        ([x, context]: readonly Tensor[]) => [
          context === undefined
            ? multiHeadAttention(own, x, multiHeadAttentionState(own, x.shape[0]), {
              causal: false,
              ...options,
            }).y
            : crossAttention(own, x, crossAttentionContext(own, context, options)),
        ],
        (context === null ? [x] : [x, context]).map((n) => put(n, backend)),
        [put(gy, backend)],
      );
      await assertAll([...values, ...grads], [y, gx, ...gContext === null ? [] : [gContext]], `${x.shape}`);
    }
  },
);
