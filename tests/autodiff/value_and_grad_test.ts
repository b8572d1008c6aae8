import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  add,
  type Backend,
  createReference,
  crossEntropy,
  linear,
  lstmModel,
  multiply,
  read,
  rwkv,
  sample,
  sigmoid,
  type Tensor,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import { run } from "../../src/compute.ts";
import { engineOf } from "../../src/engine.ts";
import { normOp } from "../../src/ops/clip/mod.ts";
import { assertNear, assertSame, randomTensor, testFailures, testOnAll, wrong } from "../helpers.ts";

/** Σ x·weights, a single number. */
function weighed(x: Tensor, ...weights: number[]): Tensor {
  return linear(x, tensor(weights, [1, weights.length], backendInside(x)));
}

/** Creates constants on the backend that computes. */
function backendInside({ backend }: Tensor): Backend {
  return engineOf(backend).inner ?? backend;
}

const three = (backend: Backend, ...values: number[]) => tensor(values, [values.length], backend);

testOnAll(
  "valueAndGrad() returns the value, and gradients in the form of the parameters",
  async (backend) => {
    const params = { heads: 2, none: null, layers: [{ a: three(backend, 1, 2) }, [three(backend, 3, 4)]] };
    const { value, grads } = valueAndGrad((p: typeof params) => {
      assertEquals([p.heads, p.none], [2, null]);
      const [{ a }, [b]] = p.layers as [{ a: Tensor }, [Tensor]];
      return weighed(multiply(multiply(a, a), b), 1, 10);
    }, params);
    const [{ a }, [b]] = grads.layers as [{ a: Tensor }, [Tensor]];
    assertSame(await read(value), [3 + 160]);
    assertSame(await read(a), [6, 160]);
    assertSame(await read(b), [1, 40]);
    assertEquals([grads.heads, grads.none, value.shape], [2, null, [1]]);
    assertStrictEquals(a.backend, backend);
  },
);

testOnAll("valueAndGrad() sums the gradients of several uses", async (backend) => {
  const { grads } = valueAndGrad(
    (x: Tensor) => weighed(add(add(x, x), multiply(x, add(x, x))), 1, 1, 1),
    three(backend, 1, 2, 3),
  );
  assertSame(await read(grads), [6, 10, 14]);
});

testOnAll("valueAndGrad() returns 0 for a parameter that the value does not depend on", async (backend) => {
  const params = { used: three(backend, 2), unused: three(backend, 1, 2) };
  const { grads } = valueAndGrad(({ used }: typeof params) => weighed(used, 3), params);
  assertSame(await read(grads.used), [3]);
  assertSame(await read(grads.unused), [0, 0]);
});

testOnAll("valueAndGrad() refuses a loss that does not depend on the parameters", (backend) => {
  const x = three(backend, 2), { bytes } = backend.memory();
  const losses: readonly ((t: Tensor) => Tensor)[] = [
    () => weighed(x, 3),
    (t) => sample(three(t.backend, 1, 2), { temperature: 0 }),
    (t) => sample(multiply(t, t), { temperature: 0 }),
    () => weighed(add(x, x), 1),
  ];
  for (const loss of losses) {
    assertThrows(
      () => valueAndGrad(loss, x),
      TypeError,
      "Cannot differentiate: loss must depend on params by operations with gradients, current loss is a constant",
    );
    assertEquals(backend.memory().bytes, bytes);
  }
  assertEquals(valueAndGrad((t: Tensor) => t, x).grads.shape, [1]);
});

testOnAll("valueAndGrad() returns aux as tensors of the parameters' backend", async (backend) => {
  const { value, aux } = valueAndGrad((x: Tensor) => {
    const y = sigmoid(x);
    return [weighed(y, 1, 1), { y, same: x, text: "a", picked: sample(y, { temperature: 0 }) }] as const;
  }, three(backend, 0, 1));
  assertStrictEquals(aux.y.backend, backend);
  assertNear(await read(aux.y), [0.5, 1 / (1 + Math.exp(-1))], 1e-6);
  assertSame(await read(aux.same), [0, 1]);
  assertSame(await read(aux.picked), [1]);
  assertNear(await read(value), [0.5 + 1 / (1 + Math.exp(-1))], 1e-6);
  assertEquals(aux.text, "a");
});

testOnAll(
  "valueAndGrad() treats tensors of the parameters' backend as constants, in either position",
  async (backend) => {
    const c = three(backend, 5, 7), x = three(backend, 1, 2);
    for (const product of [(x: Tensor) => multiply(c, x), (x: Tensor) => multiply(x, c)]) {
      const { grads } = valueAndGrad((x: Tensor) => weighed(product(x), 1, 1), x);
      assertSame(await read(grads), [5, 7]);
    }
  },
);

testOnAll("valueAndGrad() delays scope and free until the gradients are done", async (backend) => {
  const x = three(backend, 1, 2), c = three(backend, 3, 4), held = backend.memory().bytes;
  let inside: Tensor | undefined;
  const { value, grads } = valueAndGrad((x: Tensor) => {
    // On the backend that computes, and on the recording backend.
    const squared = backend.scope(() => {
      inside = multiply(c, c);
      return multiply(x, inside);
    });
    const y = x.backend.scope(() => multiply(squared, sigmoid(x)));
    backend.free(c);
    x.backend.free([squared, x]);
    return weighed(y, 1, 1);
  }, x);
  const s = [1, 2].map((value) => 1 / (1 + Math.exp(-value)));
  const slopes = [9, 16].map((square, i) => square * (s[i] + (i + 1) * s[i] * (1 - s[i])));
  assertNear(await read(grads), slopes, 1e-6);
  assertThrows(() => backend.scope(() => sigmoid(c)), TypeError, "was freed");
  assertThrows(() => backend.scope(() => sigmoid(inside!)), TypeError, "was freed");
  assertSame(await read(x), [1, 2]);
  backend.free([value, grads]);
  // c is freed too, and was as large as x.
  assertEquals(backend.memory().bytes, held / 2);
});

testOnAll("valueAndGrad() leaves only its result allocated, also if loss throws", (backend) => {
  const x = three(backend, 1, 2, 3), held = backend.memory().bytes;
  const loss = (x: Tensor) => [weighed(multiply(sigmoid(x), add(x, x)), 1, 2, 3), sigmoid(x)] as const;
  backend.free(valueAndGrad(loss, x));
  assertEquals(backend.memory().bytes, held);
  for (
    const failing of [
      (x: Tensor) => {
        sigmoid(x);
        throw new Error("stop");
      },
      (x: Tensor) => sigmoid(x),
      (x: Tensor) => Promise.resolve(sigmoid(x)),
    ]
  ) {
    assertThrows(() => valueAndGrad(wrong(failing), x));
    assertEquals(backend.memory().bytes, held);
  }
});

Deno.test("valueAndGrad() frees recorded tensors on the way back", () => {
  using backend = createReference();
  const x = tensor(new Float32Array(1000), [1000], backend);
  const deep = (x: Tensor, depth: number): Tensor => depth === 0 ? x : deep(sigmoid(x), depth - 1);
  backend.resetPeak();
  backend.free(
    valueAndGrad((x: Tensor) => linear(deep(x, 50), tensor(new Float32Array(1000), [1, 1000], backend)), x),
  );
  // Fifty results, x, the constant, and two or three gradients at a time, but not fifty gradients.
  const most = 4000 * 57;
  assertEquals(backend.memory().peakBytes < most, true, `${backend.memory().peakBytes} of ${most} bytes`);
});

Deno.test("valueAndGrad() differentiates a model's loss with its state as aux", async () => {
  const params = lstmModel.init({ vocabulary: 5, layers: 1, channels: 3 }, 1);
  const { value, grads, aux } = valueAndGrad((params: typeof lstmParams) => {
    const { logits, state } = lstmModel.forward(params, [[1, 2, 3]], lstmModel.initialState(params));
    return [crossEntropy(logits, [[2, 3, 4]]), state] as const;
  }, params);
  const lstmParams = params;
  const plain = lstmModel.forward(params, [[1, 2, 3]], lstmModel.initialState(params));
  assertSame(await read(value), await read(crossEntropy(plain.logits, [[2, 3, 4]])));
  assertSame(await read(aux.layers[0].cell), await read(plain.state.layers[0].cell));
  // The state that aux returns can be used again.
  lstmModel.forward(params, [[4]], aux);
  assertEquals(grads.head.shape, [5, 3]);
});

Deno.test("valueAndGrad() of the state alone, with constant parameters, equals that of both together", async () => {
  const params = rwkv.init({ vocabulary: 7, layers: 2, channels: 6, feedForward: 10 }, 1);
  const moved = { ...params, head: randomTensor(1, [7, 6]) };
  const state = rwkv.forward(moved, [[1, 2]], rwkv.initialState(moved)).state;
  type Both = { params: typeof moved; state: typeof state };
  const loss = ({ params, state }: Both) =>
    crossEntropy(rwkv.forward(params, [[3, 4, 5]], state).logits, [[4, 5, 6]]);
  const both = valueAndGrad(loss, { params: moved, state });
  const alone = valueAndGrad((state: Both["state"]) => loss({ params: moved, state }), state);
  assertSame(await read(alone.value), await read(both.value));
  const pick = (grads: Both["state"]) => read(grads.blocks[1].timeMix.shift);
  assertSame(await pick(alone.grads), await pick(both.grads.state));
});

Deno.test("a recorded tensor can't be used after its recording has ended", () => {
  let kept: Tensor | undefined;
  valueAndGrad((x: Tensor) => weighed(kept = sigmoid(x), 1), tensor([1], [1]));
  assertThrows(
    () => sigmoid(kept!),
    TypeError,
    "Cannot use tensor: its recording must be going on, current recording on reference is over",
  );
});

const x = tensor([1, 2], [2]);
const elsewhere = createReference();

testFailures("valueAndGrad()", [
  [
    "no tensor",
    () => valueAndGrad(() => x, { heads: 2 }),
    TypeError,
    "Cannot differentiate: params must hold tensors, current value is an object of heads",
  ],
  [
    "several backends",
    () => valueAndGrad(() => x, [x, tensor([1], [1], elsewhere)]),
    TypeError,
    "Cannot differentiate: all tensors of params must live on one backend (move them with put), current tensors " +
    "live on several",
  ],
  [
    "a constant of another backend",
    () => valueAndGrad((x: Tensor) => multiply(x, tensor([1, 2], [2], elsewhere)), x),
    TypeError,
    "Cannot multiply: all tensors must live on one backend (move them with put), current a lives on reference and b " +
    "on another reference",
  ],
  [
    "several numbers",
    () => valueAndGrad((x: Tensor) => x, x),
    TypeError,
    "Cannot differentiate: loss must return a single number, or a list of that and something else, current shape is " +
    "[2]",
  ],
  [
    "no tensor returned",
    () => valueAndGrad(() => wrong(3), x),
    TypeError,
    "Cannot differentiate: loss must return a single number, or a list of that and something else, current value is 3",
  ],
  [
    "a promise",
    () => valueAndGrad((x: Tensor) => wrong(Promise.resolve(x)), x),
    TypeError,
    "Cannot differentiate: loss must return a single number, or a list of that and something else, current value is " +
    "a promise",
  ],
  [
    "a gradient's gradient",
    () => valueAndGrad((x: Tensor) => valueAndGrad((y: Tensor) => weighed(y, 1, 1), x).value, x),
    TypeError,
    "Cannot differentiate: params must live on a backend that computes, current one records (there are no second derivatives)",
  ],
  [
    "an operation without a rule",
    () => valueAndGrad((x: Tensor) => run(normOp, [x], [1])[0], x),
    TypeError,
    "Cannot differentiate: operations must have gradient rules, current operation is norm",
  ],
]);
