import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { crossEntropy, put, read, type Tensor, valueAndGrad } from "@seqmix/seqmix";
import { tensorsOf } from "../../src/tree.ts";
import { assertNear, assertSame, testFailures, testOnAll, wrong } from "../helpers.ts";
import { models } from "../mixers.ts";

const tokens = [[1, 10, 3, 2, 7], [0, 5, 5, 9, 4]];

for (const { name, model, make } of models) {
  testOnAll(`${name}.forward() returns the requested logits, and always the same state`, async (backend) => {
    const params = await put(make(1), backend);
    const state = model.initialState(params, 2);
    const all = model.forward(params, tokens, state);
    const last = model.forward(params, tokens, state, { logits: "last" });
    const none = model.forward(params, tokens, state, { logits: "none" });
    assertEquals(last.logits.shape, [2, 1, 11]);
    const every = await read(all.logits);
    const ends = [...every.subarray(4 * 11, 5 * 11), ...every.subarray(9 * 11)];
    // With another number of rows, sums may be in another order.
    assertNear(await read(last.logits), ends, 1e-6);
    assertStrictEquals(none.logits, null);
    const expected = tensorsOf(all.state);
    for (const { state } of [last, none]) {
      for (const [i, t] of tensorsOf(state).entries()) assertSame(await read(t), await read(expected[i]));
    }
    const { logits } = model.forward(params, tokens, state, { logits: "all" });
    assertSame(await read(logits), every);
  });

  testOnAll(`${name}.forward() keeps no logits that were not requested`, async (backend) => {
    const params = await put(make(1), backend);
    const state = model.initialState(params, 2);
    const held = (logits: "all" | "none") => {
      const before = backend.memory().bytes;
      const made = backend.scope(() => model.forward(params, tokens, state, { logits }));
      const after = backend.memory().bytes - before;
      backend.free(made);
      return after;
    };
    assert(held("none") < held("all"));
  });

  testOnAll(`${name}.forward() has a gradient through the last step's logits`, async (backend) => {
    const params = await put(make(1), backend);
    const lossOf = (of: (params: unknown) => Tensor) => valueAndGrad(of, params);
    const last = lossOf((params) =>
      crossEntropy(
        model.forward(params, tokens, model.initialState(params, 2), { logits: "last" }).logits,
        [[3], [1]],
      )
    );
    // The same loss, by weights on all steps.
    const targets = [[0, 0, 0, 0, 3], [0, 0, 0, 0, 1]], weights = [[0, 0, 0, 0, 1], [0, 0, 0, 0, 1]];
    const all = lossOf((params) =>
      crossEntropy(model.forward(params, tokens, model.initialState(params, 2)).logits, targets, weights)
    );
    assertNear(await read(last.value), await read(all.value), 1e-5);
    const expected = tensorsOf(all.grads);
    for (const [i, t] of tensorsOf(last.grads).entries()) {
      assertNear(await read(t), await read(expected[i]), 1e-4, `gradient ${i}`);
    }
  });

  const params = make(1),
    action = { rwkv: "RWKV", transformer: "Transformer", lstmModel: "LSTM model" }[name];
  const run = (options: unknown) =>
    model.forward(params, tokens, model.initialState(params, 2), wrong(options));
  testFailures(`${name}.forward() with options`, [
    [
      "logits of another kind",
      () => run({ logits: "first" }),
      TypeError,
      `Cannot run ${action}: logits must be "all", "last" or "none", current logits is "first"`,
    ],
    [
      "another option",
      () => run({ logit: "last" }),
      TypeError,
      `Cannot run ${action}: options must have known names (perhaps logits), current one is logit`,
    ],
    [
      "no object",
      () => run("last"),
      TypeError,
      `Cannot run ${action}: options must be an object, current value is "last"`,
    ],
    [
      "null",
      () => run(null),
      TypeError,
      `Cannot run ${action}: options must be an object, current value is null`,
    ],
  ]);
}
