/** Cases of the elementwise operations. */
import {
  add,
  divide,
  exp,
  gelu,
  log,
  mix,
  multiply,
  negativeExp,
  relu,
  scale,
  sigmoid,
  silu,
  softplus,
  squaredRelu,
  subtract,
  tanh,
  type Tensor,
} from "@seqmix/seqmix";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, show, uniform } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

const elementShapes = [[], [1], [2], [3, 7], [5, 13], [33], [129], [2, 37, 67]];

function unary(run: (x: Tensor) => Tensor, infinite: readonly number[], most: number): Case[] {
  const call: Case["run"] = ([x]) => [run(x)];
  return [
    ...elementShapes.map((shape) => ({
      name: show(shape),
      inputs: (random: RandomSource) => [normal(random, shape, 3)],
      run: call,
    })),
    { name: `up to ±${most}`, inputs: (random) => [uniform(random, [67], most)], run: call },
    { name: `infinite: ${infinite}`, inputs: () => [list(infinite)], run: call },
    { name: "NaN", inputs: () => [list([1, NaN, -1, 0, NaN])], run: call, nan: [[1, 4]] },
  ];
}

/** Single numbers, so that no error is hidden by a larger neighbour. */
function alone(run: (x: Tensor) => Tensor, ...values: readonly number[]): Case[] {
  return values.map((value) => ({
    name: `${value} alone`,
    inputs: () => [list([value])],
    run: ([x]) => [run(x)],
  }));
}

function binary(run: (a: Tensor, b: Tensor) => Tensor): Case[] {
  const call: Case["run"] = ([a, b]) => [run(a, b)];
  return [
    ...elementShapes.map((shape) => ({
      name: show(shape),
      inputs: (random: RandomSource) => [normal(random, shape, 100), normal(random, shape)],
      run: call,
    })),
    { name: "infinite", inputs: () => [list([Infinity, -Infinity, 2]), list([3, 3, Infinity])], run: call },
    { name: "NaN", inputs: () => [list([1, NaN, 0, 0]), list([1, 2, 3, NaN])], run: call, nan: [[1, 3]] },
  ];
}

const mixCases: Case[] = [
  ...[[1, 1], [7, 1], [3, 7], [2, 37, 13], [5, 129], [1, 2, 67]].map((shape) => ({
    name: show(shape),
    inputs: (random: RandomSource) => [
      normal(random, shape),
      normal(random, shape),
      normal(random, shape.slice(-1)),
    ],
    run: ([x, before, ratio]: readonly Tensor[]) => [mix(x, before, ratio)],
  })),
  {
    name: "NaN, also with weight 0",
    inputs: () => [list([NaN, 1, 1, 1, 1, 1], [2, 3]), list([1, 1, 1, 1, NaN, 1], [2, 3]), list([0, 1, NaN])],
    run: ([x, before, ratio]) => [mix(x, before, ratio)],
    nan: [[0, 2, 4, 5]],
  },
];

/** What a case says that has no NaN, and whose slopes are too steep or too flat for differences. */
const withoutSlopes = { nan: [[]] };

/** Divisors are apart from 0, where slopes are too steep for differences. */
const divideCases: Case[] = [
  ...elementShapes.map((shape) => ({
    name: show(shape),
    inputs: (random: RandomSource) => {
      const divisors = normal(random, shape);
      return [normal(random, shape, 100), { shape, data: divisors.data.map((x) => x + Math.sign(x)) }];
    },
    run: ([a, b]: readonly Tensor[]) => [divide(a, b)],
  })),
  ...[[1e5, 3e38], [3e38, 2e38], [1e-37, 2e-37], [-1.2e-38, 1e-30], [3e38, 0.99]].map((
    pair,
  ) => ({
    name: `${pair.join("/")} alone`,
    inputs: () => pair.map((value) => list([value])),
    run: ([a, b]: readonly Tensor[]) => [divide(a, b)],
    ...withoutSlopes,
  })),
  {
    name: "infinite",
    inputs: () => [
      list([Infinity, -Infinity, 2, -2, 3, -3, 0, -0]),
      list([3, 3, Infinity, Infinity, 0, 0, 5, -Infinity]),
    ],
    run: ([a, b]) => [divide(a, b)],
  },
  {
    name: "NaN",
    inputs: () => [list([1, NaN, 0, 0, Infinity, 1]), list([1, 2, 0, NaN, -Infinity, 3])],
    run: ([a, b]) => [divide(a, b)],
    nan: [[1, 2, 3, 4]],
  },
];

const logCases: Case[] = [
  ...elementShapes.map((shape) => ({
    name: show(shape),
    inputs: (random: RandomSource) => {
      const { data } = normal(random, shape, 3);
      return [{ shape, data: data.map((x) => 0.1 + Math.abs(x)) }];
    },
    run: ([x]: readonly Tensor[]) => [log(x)],
  })),
  ...[0.999999, 1.000001, 0.7071, 1e-37, 3e38].map((value) => ({
    name: `${value} alone`,
    inputs: () => [list([value])],
    run: ([x]: readonly Tensor[]) => [log(x)],
    ...withoutSlopes,
  })),
  { name: "infinite", inputs: () => [list([Infinity, 0, -0])], run: ([x]) => [log(x)] },
  {
    name: "NaN",
    inputs: () => [list([1, NaN, -1, 2, -Infinity, -1e-30])],
    run: ([x]) => [log(x)],
    nan: [[1, 2, 4, 5]],
  },
];

export const elementwiseCases = {
  add: binary(add),
  multiply: binary(multiply),
  mix: mixCases,
  sigmoid: [...unary(sigmoid, [Infinity, -Infinity], 90), ...alone(sigmoid, -60, -20, 20)],
  tanh: [...unary(tanh, [Infinity, -Infinity], 60), ...alone(tanh, 1e-4, -0.3, 20)],
  relu: [...unary(relu, [Infinity, -Infinity], 1e4), ...alone(relu, 1e-4, -1e-4)],
  silu: [...unary(silu, [Infinity, -Infinity], 60), ...alone(silu, 1e-4, -30, 30, 1e30, -1e30)],
  squaredRelu: [...unary(squaredRelu, [Infinity, -Infinity], 1e4), ...alone(squaredRelu, 1e-4, -1e-4)],
  gelu: [...unary(gelu, [Infinity], 60), ...alone(gelu, 1e-4, 30, 1e30, -1e30)],
  subtract: binary(subtract),
  divide: divideCases,
  scale: [
    ...unary((x) => scale(x, -2.5), [Infinity, -Infinity], 1e4),
    ...unary((x) => scale(x, 0), [], 60),
    ...alone((x) => scale(x, 1e-20), 1e30, -1e-10),
  ],
  exp: [...unary(exp, [Infinity, -Infinity], 60), ...alone(exp, -60, 1e-4, 60)],
  log: logCases,
  softplus: [
    ...unary(softplus, [Infinity, -Infinity], 90),
    ...alone(softplus, -60, -1, -0, 1e-4, 1, 20, 1e30),
  ],
  negativeExp: [...unary(negativeExp, [Infinity, -Infinity], 60), ...alone(negativeExp, -60, 1e-4, 60)],
};
