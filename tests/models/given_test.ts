import { assert, assertEquals } from "@std/assert";
import {
  adamW,
  type AnyLanguageModel,
  compile,
  createReference,
  evaluate,
  fit,
  generate,
  loadTree,
  lstmModel,
  presets,
  put,
  rwkv,
  saveTree,
  toOfficialRwkv,
  transformer,
  valueAndGrad,
} from "@seqmix/seqmix";
import { isBranch, isTensor } from "../../src/check.ts";
import { type Failure, testFailures, testOnAll, wrong } from "../helpers.ts";
import { models } from "../mixers.ts";

const config = presets.matched.rwkv, params = rwkv.init(config, 1), state = rwkv.initialState(params);
const others = {
  "a Transformer": { model: transformer, params: transformer.init(presets.matched.transformer, 1) },
  "an LSTM": { model: lstmModel, params: lstmModel.init(presets.matched.lstm, 1) },
};
const official = toOfficialRwkv(params), saved = saveTree(params);
const first = (stream: AsyncGenerator<unknown, unknown>) => stream.next();

/** Values that are passed instead of RWKV's parameters, their description in the message, and the advice. */
const mistakes: readonly (readonly [value: unknown, what: string, todo?: string])[] = [
  [put(params, createReference()), "a promise", "await it"],
  [undefined, "undefined"],
  [null, "null"],
  [3, "3"],
  [official, "official names", "fromOfficialRwkv reads them"],
  [{ emb: { weight: official["emb.weight"] }, blocks: [] }, "official names", "fromOfficialRwkv reads them"],
  [config, "a config", "init makes parameters of one"],
  [loadTree(saved), "an object of tree, metadata", "take its tree"],
  [{ params, state: adamW.init(params) }, "an object of params, state", "take its params"],
  [state, "a state of RWKV"],
  [others["a Transformer"].params, "parameters of a Transformer"],
  [others["an LSTM"].params, "parameters of an LSTM"],
  [{ ...params, embedding: undefined }, "an object of embedding, ln0, blocks, lnOut, head"],
  [params.head, "a tensor of shape [64, 32]"],
  [[1, 2], "an array of length 2"],
];

testFailures(
  "forward() and initialState() with other parameters",
  mistakes.flatMap(([value, what, todo], i) => {
    const message = `Cannot run RWKV: params must be parameters of RWKV${
      todo === undefined ? "" : ` (${todo})`
    }, current value is ${what}`;
    const step = compile(rwkv.forward);
    return [
      [`${i}, forward`, () => rwkv.forward(wrong(value), [[1]], state), TypeError, message],
      [`${i}, compiled`, () => step(wrong(value), [[1]], state), TypeError, message],
      [`${i}, initialState`, () => rwkv.initialState(wrong(value)), TypeError, message],
    ] as Failure[];
  }),
);

testFailures(
  "forward() with another state",
  ([
    [Promise.resolve(state), "a promise", "await it"],
    [undefined, "undefined", "initialState makes the first"],
    [params, "parameters of RWKV"],
    [config, "a config", "init makes parameters of one"],
    [rwkv.forward(params, [[1]], state), "an object of logits, state", "take its state"],
    ...Object.entries(others).map((
      [name, { model, params }],
    ) => [model.initialState(wrong(params)), `a state of ${name}`] as const),
  ] as readonly (readonly [value: unknown, what: string, todo?: string])[]).map((
    [value, what, todo],
  ): Failure => [
    what,
    () => rwkv.forward(params, [[1]], wrong(value)),
    TypeError,
    `Cannot run RWKV: state must be a state of RWKV${
      todo === undefined ? "" : ` (${todo})`
    }, current value is ${what}`,
  ]),
);

const sequences = [[1, 2, 3]],
  untaught = (value: unknown) => fit(rwkv, { train: sequences }, { params: wrong(value) });

testFailures("generate(), evaluate() and fit() with values that are not parameters", [
  ...([
    ["generate", (value) => first(generate(rwkv, wrong(value), [1]))],
    ["evaluate", (value) => evaluate(rwkv, wrong(value), sequences)],
    ["fit", (value) => first(untaught(value))],
    ["update parameters", (value) => adamW.init(wrong(value))],
    ["differentiate", (value) => valueAndGrad((x) => wrong(x), value)],
  ] as readonly (readonly [string, (value: unknown) => unknown])[]).flatMap(([action, call]) =>
    mistakes.filter(([, what]) => ["a promise", "3", "a config"].includes(what)).map(
      ([value, what, todo]): Failure => [
        `${action}, ${what}`,
        () => call(value),
        TypeError,
        `Cannot ${action}: params must hold tensors${
          todo === undefined ? "" : ` (${todo})`
        }, current value is ${what}`,
      ],
    )
  ),
  ...[
    ["generate", (value: unknown) => first(generate(rwkv, wrong(value), [1]))] as const,
    ["evaluate", (value: unknown) => evaluate(rwkv, wrong(value), sequences)] as const,
    ["fit", (value: unknown) => first(untaught(value))] as const,
  ].flatMap(([action, call]) =>
    [[official, "official names"], [others["an LSTM"].params, "parameters of an LSTM"]].map((
      [value, what],
    ): Failure => [
      `${action}, ${what}`,
      () => call(value),
      TypeError,
      `Cannot run RWKV: params must be parameters of RWKV${
        value === official ? " (fromOfficialRwkv reads them)" : ""
      }, current value is ${what}`,
    ])
  ),
  [
    "generate, another model's state",
    () =>
      first(generate(rwkv, params, [1], { state: wrong(lstmModel.initialState(others["an LSTM"].params)) })),
    TypeError,
    "Cannot run RWKV: state must be a state of RWKV, current value is a state of an LSTM",
  ],
  [
    "put",
    () => put(Promise.resolve(params), createReference()),
    TypeError,
    "Cannot put: tree must be there (await it), current value is a promise",
  ],
  ...[
    ["generate", () => first(generate(wrong(params), wrong(rwkv), [1]))] as const,
    ["evaluate", () => evaluate(wrong(undefined), params, sequences)] as const,
    ["fit", () => first(fit(wrong({}), { train: sequences }, { config }))] as const,
  ].map(([action, call]): Failure => [
    `${action}, no model`,
    call,
    TypeError,
    `Cannot ${action}: model must be a language model${
      action === "fit" ? " or a loss function" : ""
    }, current value is ${action === "evaluate" ? "undefined" : "an object (Object)"}`,
  ]),
]);

testOnAll("fit() frees everything when it is given parameters of another model", async (backend) => {
  const given = await put(others["an LSTM"].params, backend), { bytes } = backend.memory();
  const error = await first(fit(rwkv, { train: sequences }, { params: wrong(given), backend })).catch((e) =>
    e
  );
  assert(error instanceof TypeError);
  assertEquals(backend.memory().bytes, bytes);
});

/** For each part of a tree, the tree without it, and with another value in its place. */
function* mutilated(tree: unknown, rebuild: (part: unknown) => unknown = (part) => part): Generator<unknown> {
  for (const value of [undefined, null, 3, "x", {}, []]) yield rebuild(value);
  if (isTensor(tree) || !isBranch(tree)) return;
  for (const key of Object.keys(tree)) {
    yield* mutilated(tree[key], (part) => {
      const copy: Record<string, unknown> = Array.isArray(tree) ? [...tree] as never : { ...tree };
      copy[key] = part;
      return rebuild(copy);
    });
  }
}

for (const { name, model: given, make } of models) {
  Deno.test(`${name} reports any missing part of its parameters and state`, () => {
    const model = given as AnyLanguageModel;
    const params = make(1), state = model.initialState(params);
    const check = (call: () => unknown) => {
      try {
        call();
      } catch (error) {
        const { message } = error as Error;
        assert(error instanceof TypeError || error instanceof RangeError, message);
        assert(
          /^Cannot [^:]+: .*, current /.test(message) && !message.includes("Cannot read"),
          (error as Error).stack,
        );
      }
    };
    for (const other of mutilated(params)) {
      check(() => model.initialState(other));
      check(() => model.forward(other, [[1, 2]], state));
    }
    for (const other of mutilated(state)) check(() => model.forward(params, [[1, 2]], other));
  });
}
