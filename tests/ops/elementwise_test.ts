import { assertEquals } from "@std/assert";
import {
  add,
  createReference,
  exp,
  gelu,
  log,
  mix,
  multiply,
  negativeExp,
  readFloat64,
  relu,
  sigmoid,
  silu,
  softplus,
  squaredRelu,
  tanh,
  tensor,
} from "@seqmix/seqmix";
import * as elementwise from "../../src/ops/elementwise/reference.ts";
import * as exponential from "../../src/ops/exponential/reference.ts";
import { randomSource } from "../../src/random.ts";
import { assertNear, list, normal, runKernel, testFailures, wrong } from "../helpers.ts";
import { elementwiseCases } from "./cases/elementwise.ts";
import { runOnAll } from "./run_on_all.ts";

for (const [symbol, cases] of Object.entries(elementwiseCases)) runOnAll(`${symbol}()`, cases);

const kernels = { ...elementwise, ...exponential };
const unary = { exp, gelu, log, negativeExp, relu, sigmoid, silu, softplus, squaredRelu, tanh };

/** Values of the equations by other means; gelu in its tanh form, computed in Python. */
const known: Record<keyof typeof unary, readonly (readonly [x: number, y: number])[]> = {
  sigmoid: [[0, 0.5], [Math.log(3), 0.75], [-Math.log(3), 0.25], [-700, Math.exp(-700)]],
  tanh: [[0, 0], [Math.log(2), 0.6], [-Math.log(2), -0.6], [1e-9, 1e-9]],
  squaredRelu: [[-3, 0], [0, 0], [3, 9], [0.5, 0.25]],
  gelu: [
    [-3, -0.0036373920817729943],
    [-1, -0.15880800939172324],
    [0.5, 0.34571400982514394],
    [1, 0.8411919906082768],
    [3, 2.996362607918227],
  ],
  exp: [[0, 1], [Math.log(2), 2], [-Math.log(2), 0.5]],
  log: [[1, 0], [Math.E, 1], [2 ** -20, -20 * Math.LN2]],
  relu: [[-3, 0], [0, 0], [3, 3]],
  silu: [[0, 0], [Math.log(3), 0.75 * Math.log(3)], [-700, -700 * Math.exp(-700)]],
  softplus: [[0, Math.LN2], [Math.log(3), Math.log(4)], [-700, Math.exp(-700)], [1e9, 1e9]],
  negativeExp: [[0, -1], [Math.log(2), -2], [-Math.log(2), -0.5]],
};

for (const [symbol, pairs] of Object.entries(known)) {
  Deno.test(`${symbol}() has the known values`, async () => {
    using backend = createReference({ precision: "float64" });
    for (const [x, y] of pairs) {
      const result = unary[symbol as keyof typeof unary](tensor([x], [1], backend));
      assertNear(await readFloat64(result), [y], 1e-12, `${symbol}(${x})`);
    }
  });
}

/** x·Φ(x), with Φ from the power series of the error function. */
function exactGelu(x: number): number {
  let sum = 0, term = x / Math.SQRT2;
  for (let n = 0; n < 100; n++) {
    sum += term / (2 * n + 1);
    term *= -(x * x / 2) / (n + 1);
  }
  return x / 2 * (1 + 2 / Math.sqrt(Math.PI) * sum);
}

Deno.test("gelu() is within 5e-4 of x·Φ(x)", async () => {
  using backend = createReference({ precision: "float64" });
  const x = Array.from({ length: 81 }, (_, i) => (i - 40) / 10);
  const y = await readFloat64(gelu(tensor(x, [81], backend)));
  const wanted = x.map(exactGelu);
  assertNear(y, wanted, 5e-4 / 4);
});

Deno.test("the gradient of exp() in double precision is right wherever it is finite, and infinite beyond", () => {
  const x = Float64Array.of(690, 705, 709, 720, Infinity), gy = Float64Array.of(-1, 1e-9, 1e-9, 1e-9, 1e-9);
  const gx = new Float64Array(5);
  exponential.expBackward(gx, gy, x, 5);
  const shift = 9 * Math.LN10,
    expected = [-Math.exp(690), ...[705, 709, 720].map((x) => Math.exp(x - shift))];
  gx.subarray(0, 4).forEach((value, i) => assertNear([value / expected[i]], [1], 1e-10));
  assertEquals(gx[4], Infinity);
});

Deno.test("the elementwise kernels write their outputs and nothing else", () => {
  const random = randomSource(1);
  const [a, b, ratio] = [[15], [15], [5]].map((shape) => normal(random, shape).data);
  const [added] = runKernel(kernels.add, [15], [a, b], [15]);
  assertNear(added, a.map((x, i) => x + b[i]), 1e-7);
  const [multiplied] = runKernel(kernels.multiply, [15], [a, b], [15]);
  assertNear(multiplied, a.map((x, i) => x * b[i]), 1e-7);
  const [mixed] = runKernel(kernels.mix, [15], [a, b, ratio], [3, 5]);
  assertNear(mixed, a.map((x, i) => x * ratio[i % 5] + b[i] * (1 - ratio[i % 5])), 1e-6);
  for (const [symbol, pairs] of Object.entries(known)) {
    const kernel = kernels[symbol as keyof typeof unary];
    const [y] = runKernel(kernel, [pairs.length], [list(pairs.map(([x]) => x)).data], [pairs.length]);
    assertNear(y, pairs.map(([, y]) => y), 1e-6, symbol);
  }
});

const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]), turned = tensor([1, 2, 3, 4, 5, 6], [3, 2]);
const three = tensor([1, 2, 3], [3]), two = tensor([1, 2], [2]);
const elsewhere = createReference();
const moved = tensor([1, 2, 3, 4, 5, 6], [2, 3], elsewhere);
const freed = tensor([1], [1]);
freed.backend.free(freed);
const dead = (action: string) =>
  `Cannot ${action}: tensor must be alive, current tensor of shape [1] on reference was freed`;
const apart = "all tensors must live on one backend (move them with put), current";

testFailures("add()", [
  [
    "a not a tensor",
    () => add(wrong(3), x),
    TypeError,
    "Cannot add: a must be a tensor [...], current value is 3",
  ],
  [
    "b not a tensor",
    () => add(x, wrong([1])),
    TypeError,
    "Cannot add: b must be a tensor [2, 3], current value is an array of length 1",
  ],
  [
    "shapes",
    () => add(x, turned),
    TypeError,
    "Cannot add: the sizes of a and b must be equal or 1, from the last on, current shapes are [2, 3] and [3, 2]",
  ],
  [
    "backends",
    () => add(x, moved),
    TypeError,
    `Cannot add: ${apart} a lives on reference and b on another reference`,
  ],
  ["freed", () => add(freed, freed), TypeError, dead("add")],
]);

testFailures("multiply()", [
  [
    "a not a tensor",
    () => multiply(wrong("x"), x),
    TypeError,
    'Cannot multiply: a must be a tensor [...], current value is "x"',
  ],
  [
    "shapes",
    () => multiply(x, two),
    TypeError,
    "Cannot multiply: the sizes of a and b must be equal or 1, from the last on, current shapes are [2, 3] and [2]",
  ],
  [
    "backends",
    () => multiply(moved, x),
    TypeError,
    `Cannot multiply: ${apart} a lives on reference and b on another reference`,
  ],
]);

testFailures("mix()", [
  ["ratio", () => mix(x, x, x), TypeError, "Cannot mix: ratio must be [C], current shape is [2, 3]"],
  ["x", () => mix(x, x, two), TypeError, "Cannot mix: x must be [..., 2], current shape is [2, 3]"],
  [
    "before",
    () => mix(x, three, three),
    TypeError,
    "Cannot mix: before must be [2, 3], current shape is [3]",
  ],
  [
    "backends",
    () => mix(x, moved, three),
    TypeError,
    `Cannot mix: ${apart} x lives on reference and before on another reference`,
  ],
]);

const actions = {
  sigmoid: "compute sigmoid",
  tanh: "compute tanh",
  squaredRelu: "compute squared ReLU",
  gelu: "compute GELU",
  negativeExp: "compute negative exponential",
  exp: "compute exponential",
  log: "compute logarithm",
  relu: "compute ReLU",
  silu: "compute SiLU",
  softplus: "compute softplus",
};
for (const [symbol, action] of Object.entries(actions)) {
  const run = unary[symbol as keyof typeof unary];
  testFailures(`${symbol}()`, [
    [
      "not a tensor",
      () => run(wrong(null)),
      TypeError,
      `Cannot ${action}: x must be a tensor [...], current value is null`,
    ],
    ["freed", () => run(freed), TypeError, dead(action)],
  ]);
}
