import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  compile,
  createReference,
  dropout,
  linear,
  ones,
  read,
  type Tensor,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import { assertNear, assertSame, randomTensor, testFailures, testOnAll, wrong } from "../helpers.ts";
import { dropoutCases } from "./cases/dropout.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("dropout()", dropoutCases);

testOnAll("dropout() drops the share of the rate, the same elements as the reference", async (backend) => {
  const size = 40_000, x = ones([size], backend);
  for (const rate of [0.001, 0.1, 0.5, 0.9]) {
    const y = await read(dropout(x, { rate, seed: 3, step: 7 }));
    assertNear([Math.max(...y)], [1 / (1 - rate)], 1e-6);
    assert(y.every((value) => value === 0 || value > 1));
    const share = y.filter((value) => value === 0).length / size;
    assert(Math.abs(share - rate) < 4 * Math.sqrt(rate * (1 - rate) / size), `${share} for ${rate}`);
    assertNear(y, await read(dropout(ones([size]), { rate, seed: 3, step: 7 })), 1e-6);
  }
});

const pattern = async (seed: number, step: number, size = 2000) =>
  (await read(dropout(ones([size]), { rate: 0.5, seed, step }))).join();

Deno.test("dropout() differs by seed and step, independently", async () => {
  assertEquals(await pattern(1, 1), await pattern(1, 1));
  const shareAlike = async (a: Promise<string>, b: Promise<string>) => {
    const [first, second] = [(await a).split(","), (await b).split(",")];
    return first.filter((value, i) => value === second[i]).length / first.length;
  };
  for (const [seed, step] of [[1, 2], [2, 1], [2 ** 32 + 1, 1], [1, 2 ** 32 - 1]]) {
    const alike = await shareAlike(pattern(1, 1), pattern(seed, step));
    assert(alike > 0.45 && alike < 0.55, `${alike}`);
  }
});

testOnAll("dropout() with the step as a tensor drops the same, also compiled", async (backend) => {
  const x = randomTensor(1, [3, 67], backend);
  using drop = compile((x: Tensor, step: Tensor) => dropout(x, { rate: 0.3, seed: 9, step }));
  const seen = new Set<string>();
  for (const step of [0, 1, 2, 1000]) {
    const expected = await read(dropout(x, { rate: 0.3, seed: 9, step })), told = tensor([step], [], backend);
    assertSame(await read(dropout(x, { rate: 0.3, seed: 9, step: told })), expected);
    assertSame(await read(drop(x, told)), expected);
    seen.add(expected.join());
  }
  assertEquals(seen.size, 4);
});

testOnAll("the gradient of dropout() is of the same draw", async (backend) => {
  const x = randomTensor(1, [67], backend), weight = randomTensor(2, [1, 67], backend);
  const step = tensor([5], [], backend);
  const { grads } = valueAndGrad(
    (x) => linear(dropout(x, { rate: 0.5, seed: 1, step }), weight),
    x,
  );
  const [mask, w] = [
    await read(dropout(ones([67], backend), { rate: 0.5, seed: 1, step })),
    await read(weight),
  ];
  assertNear(await read(grads), w.map((value, i) => value * mask[i]), 1e-6);
});

Deno.test("dropout() with a rate of 0 is x", () => {
  const x = tensor([1, 2], [2]);
  assertStrictEquals(dropout(x, { rate: 0, seed: 1 }), x);
});

const x = tensor([1, 2], [2]);
const elsewhere = createReference();

testFailures("dropout()", [
  [
    "no options",
    () => dropout(x, wrong(undefined)),
    TypeError,
    "Cannot drop out: options must be an object, current value is undefined",
  ],
  [
    "an unknown option",
    () => dropout(x, wrong({ rate: 0.5, seed: 1, p: 0.5 })),
    TypeError,
    "Cannot drop out: options must have known names (perhaps step), current one is p",
  ],
  [
    "no rate",
    () => dropout(x, wrong({ seed: 1 })),
    TypeError,
    "Cannot drop out: rate must be a number, current value is undefined",
  ],
  [
    "a rate of 1",
    () => dropout(x, { rate: 1, seed: 1 }),
    RangeError,
    "Cannot drop out: rate must be from 0 to below 1, current rate is 1",
  ],
  [
    "a rate of NaN",
    () => dropout(x, { rate: NaN, seed: 1 }),
    RangeError,
    "Cannot drop out: rate must be from 0 to below 1, current rate is NaN",
  ],
  [
    "no seed",
    () => dropout(x, wrong({ rate: 0.5 })),
    TypeError,
    "Cannot drop out: seed must be a number, current value is undefined",
  ],
  [
    "a fraction of a step",
    () => dropout(x, { rate: 0.5, seed: 1, step: 0.5 }),
    RangeError,
    "Cannot drop out: step must be an integer from 0 to 4294967295, current value is 0.5",
  ],
  [
    "a step of another shape",
    () => dropout(x, { rate: 0.5, seed: 1, step: x }),
    TypeError,
    "Cannot drop out: step must be [], current shape is [2]",
  ],
  [
    "a step elsewhere",
    () => dropout(x, { rate: 0.5, seed: 1, step: tensor([1], [], elsewhere) }),
    TypeError,
    "Cannot drop out: all tensors must live on one backend (move them with put), current x lives on reference and step " +
    "on another reference",
  ],
  [
    "a number to drop",
    () => dropout(wrong(3), { rate: 0, seed: 1 }),
    TypeError,
    "Cannot drop out: x must be a tensor [...], current value is 3",
  ],
]);
