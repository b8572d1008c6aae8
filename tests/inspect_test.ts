import { assertEquals, assertThrows } from "@std/assert";
import { inspect } from "node:util";
import {
  add,
  compile,
  createReference,
  multiHeadAttentionState,
  presets,
  put,
  read,
  rwkv,
  type Tensor,
  tensor,
  transformer,
  valueAndGrad,
} from "@seqmix/seqmix";
import { assertSame, testOnAll } from "./helpers.ts";
import { models } from "./mixers.ts";

const ways = [
  (value: unknown) => Deno.inspect(value, { colors: false }),
  (value: unknown) => inspect(value, { colors: false }),
];

testOnAll("a tensor prints its shape and backend, and whether it was freed", (backend) => {
  const { name } = backend, x = tensor([1, 2, 3, 4, 5, 6], [2, 3], backend), one = tensor([1], [], backend);
  for (const print of ways) {
    assertEquals(print(x), `Tensor [2, 3] on ${name}`);
    assertEquals(print({ x, one }), `{ x: Tensor [2, 3] on ${name}, one: Tensor [] on ${name} }`);
    assertEquals(print([[[[[x]]]]]).includes("Tensor"), print([[[[[[]]]]]]).includes("[]"));
    valueAndGrad((x) => {
      assertEquals(print(x), `Tensor [] on ${name}, recorded`);
      return x;
    }, one);
  }
  backend.free(x);
  for (const print of ways) assertEquals(print(x), `Tensor [2, 3] on ${name}, freed`);
  assertEquals(`${x}`, `Tensor [2, 3] on ${name}, freed`);
  backend[Symbol.dispose]();
  for (const print of ways) assertEquals(print(one), `Tensor [] on ${name}, freed`);
});

testOnAll("JSON of tensors is refused", async (backend) => {
  const params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
  const message =
    "Cannot make JSON: tensors must be saved by saveTree, current value is a tensor of shape [64, 32]";
  assertThrows(() => JSON.stringify(params), TypeError, message);
  assertThrows(() => JSON.stringify({ tokens: [1], head: params.head }), TypeError, message);
  valueAndGrad((x) => {
    assertThrows(() => JSON.stringify([x]), TypeError, "saveTree, current value is a tensor of shape [1]");
    return x;
  }, tensor([1], [1], backend));
});

Deno.test("the printing methods of tensors are not enumerable", () => {
  const x = tensor([1], [1]), names: string[] = [];
  for (const name in x) names.push(name);
  assertEquals(names.filter((name) => !Object.hasOwn(x, name)), []);
  assertEquals(Object.getOwnPropertySymbols(x), []);
  assertEquals(Object.keys(x).filter((name) => typeof Reflect.get(x, name) === "function"), []);
  // The keys of a tensor are unchanged.
  const y = add(x, x);
  assertEquals(Object.keys(y), Object.keys(x));
});

testOnAll(
  "a compiled function may print its tensors, and still serves all lengths of a cache",
  async (backend) => {
    const attention = transformer.init(presets.matched.transformer, 1).blocks[0].attention;
    const { key } = await put(multiHeadAttentionState(attention, 1, 4), backend);
    using step = compile((x: Tensor, { key }: { key: Tensor }) => {
      ways.forEach((print) => print([x, key]));
      return { y: add(x, x), key };
    });
    for (const value of [1, 2, 3]) {
      const { y } = step(tensor([value], [1], backend), { key });
      assertSame(await read(y), [2 * value]);
    }
  },
);

for (const { name, make } of models) {
  Deno.test(`the parameters of ${name} print legibly`, () => {
    const text = Deno.inspect(make(1), { depth: 9, colors: false });
    assertEquals(text.includes("DeviceTensor") || text.includes("memory"), false);
  });
}

Deno.test("a tensor on a user-written backend prints that backend's name", () => {
  using backend = createReference({ precision: "float64" });
  assertEquals(Deno.inspect(tensor([1], [1], backend)), "Tensor [1] on reference");
});
