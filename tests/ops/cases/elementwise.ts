/** Cases of the elementwise operations. */
import {
  add,
  gelu,
  mix,
  multiply,
  negativeExp,
  relu,
  sigmoid,
  silu,
  squaredRelu,
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
  negativeExp: [...unary(negativeExp, [Infinity, -Infinity], 60), ...alone(negativeExp, -60, 1e-4, 60)],
};
