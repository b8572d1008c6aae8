/** Cases of the optimiser's operations on one tensor. The public functions take trees. */
import { type Tensor, tensor } from "@seqmix/seqmix";
import { run } from "../../../src/compute.ts";
import { adamWOp } from "../../../src/ops/adam_w/mod.ts";
import { clipToNormOp, normOp } from "../../../src/ops/clip/mod.ts";
import type { RandomSource } from "../../../src/random.ts";
import { list, normal, numbers, show } from "../../helpers.ts";
import type { Case } from "../run_on_all.ts";

const shapes = [[], [1], [2], [3, 7], [5, 13], [129], [67, 33]];

const constants = { rateFactor: 0.5, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };

/** The first step, or the one after two others. */
const later = { rate: 0.02, step: 3, ...constants }, first = { ...later, step: 1 };

function update(
  [param, grad, mean, variance]: readonly Tensor[],
  { rate, step, ...constants } = later,
): readonly Tensor[] {
  const { backend } = param;
  return backend.scope(() => {
    const overflows = tensor([0, 0, 0], [3], backend);
    const [rateOf, count] = [rate, step].map((number) => tensor([number], [], backend));
    const inputs = [overflows, param, grad, mean, variance, rateOf, count] as const;
    return [...run(adamWOp, inputs, [1, ...Object.values(constants)]), overflows];
  });
}

function norm(tensors: readonly Tensor[], scale: number): Tensor {
  return run(normOp, tensors, [scale])[0];
}

function clip(x: Tensor, norm: Tensor, maxNorm: number, scale: number): Tensor {
  return run(clipToNormOp, [x, norm], [maxNorm, scale])[0];
}

/** For `adamW`: parameter, gradient, mean, variance. The last output has the overflows of three leaves. */
export const adamWCases: Case[] = [
  ...shapes.map((shape) => ({
    name: show(shape),
    inputs: (random: RandomSource) => [
      ...[normal(random, shape), normal(random, shape), normal(random, shape)],
      numbers(shape, () => random.uniform()),
    ],
    run: (inputs: readonly Tensor[]) => update(inputs),
  })),
  {
    name: "no gradient yet, the first, and a very small one",
    inputs: () => [list([1, 2, 3]), list([0, -0.5, 1e-7]), list([0, 0, 0]), list([0, 0, 0])],
    run: (inputs) => update(inputs, first),
  },
  {
    name: "a variance near the end of the range, which exceeds it when divided by its correction",
    inputs: () => [list([1, -2, 3]), list([6e19, -5e19, 1]), list([0, 0, 0]), list([0, 0, 3e38])],
    run: (inputs) => update(inputs, { ...first, rate: 2 }),
  },
  {
    name: "variances that overflow, by the gradients or by themselves",
    inputs:
      () => [list([1, 1, 2, 3]), list([1, -Infinity, 1, 2]), list([0, 0, 0, 0]), list([0, 0, Infinity, 1])],
    run: (inputs) => update(inputs),
    nan: [[1]],
  },
  {
    name: "gradients whose squares underflow, and an ε that does",
    inputs: () => [
      list([0, 0, 0, 0, 0]),
      list([1e-30, -3e-25, 0, 1e-19, 1e-15]),
      list([0, 0, 0, 0, 0]),
      list([0, 0, 0, 0, 1e-32]),
    ],
    run: (inputs) => update(inputs, { ...first, epsilon: 1e-50 }),
  },
  {
    name: "NaN",
    inputs: () => [
      ...[list([NaN, 1, 1, 1, 1]), list([1, NaN, 1, 1, 1]), list([1, 1, NaN, 1, 1]), list([1, 1, 1, NaN, 1])],
    ],
    run: (inputs) => update(inputs),
    nan: [[0, 1, 2, 3], [1, 2], [1, 3]],
  },
];

/** For `norm`. */
export const normCases: Case[] = [
  ...[...shapes, [1_000_003]].map((shape) => ({
    name: show(shape),
    inputs: (random: RandomSource) => [normal(random, shape)],
    run: ([x]: readonly Tensor[]) => [norm([x], 1)],
    tolerance: 1e-6,
  })),
  {
    name: "several tensors as one vector, one of them empty",
    inputs: (random) => [...shapes.map((shape) => normal(random, shape)), numbers([0], () => 0)],
    run: (xs) => [norm(xs, 0.25), norm(xs.slice(-1), 1)],
    tolerance: 1e-6,
  },
  ...[1e-33, 3e-30, 1e-19, 1e-12, 1e12, 1e19, 1e30, 1e38].flatMap((most): Case[] => [
    {
      name: `numbers up to ${most}`,
      inputs: (random) => [normal(random, [129], most / 10), normal(random, [7], most / 10), list([0])],
      run: (xs) => [norm(xs, 1), norm(xs.slice(2), 1)],
      tolerance: 1e-6,
    },
    {
      name: `one ${most} among many small numbers, and the largest before many alike`,
      inputs: (random) => [
        numbers([70_001], (i) => i === 69_000 ? most : most * 1e-3 * random.normal()),
      ],
      run: ([x]) => [norm([x], 1)],
      tolerance: 1e-6,
    },
  ]),
  {
    name: "norms beyond the range, where they are scaled",
    inputs: () => [list([3e38, 3e38, -3e38]), numbers([100_001], () => 2e38)],
    run: ([x, y]) => [norm([x], 2 ** -40), norm([x, y], 2 ** -40)],
    tolerance: 1e-6,
  },
  {
    name: "infinity",
    inputs: () => [list([1, -Infinity]), list([1, Infinity, NaN])],
    run: ([x, y]) => [norm([x], 1), norm([y], 1), norm([x, y], 1)],
    nan: [[], [0], [0]],
  },
  {
    name: "a large square before a million small ones",
    inputs: () => [numbers([1_000_001], (i) => i === 0 ? 1000 : 1e-2)],
    run: ([x]) => [norm([x], 1)],
    tolerance: 1e-6,
  },
  {
    name: "NaN",
    inputs: () => [list([1, NaN, 2])],
    run: ([x]) => [norm([x], 1)],
    nan: [[0]],
  },
];

/** For `clipToNorm`: the tensor, and the norm of all tensors. */
export const clipToNormCases: Case[] = [
  ...shapes.flatMap((shape) =>
    [0, 0.5, 1.5, 1e3].map((norm) => ({
      name: `norms beyond the range, which are scaled`,
      inputs: (random: RandomSource) => [normal(random, shape), list([norm / 4], [])],
      run: ([x, norm]: readonly Tensor[]) => [clip(x, norm, 1.5, 0.25)],
      tolerance: 1e-6,
    }))
  ),
  ...[1e-20, 1e-3, 1, 1e10, 1e30, Infinity].map((maxNorm): Case => ({
    name: `to ${maxNorm} from near the end of the range`,
    inputs: () => [list([3e38, -2e38, 1e30, 0]), list([3e38 / 2 ** 30], [])],
    run: ([x, norm]) => [clip(x, norm, maxNorm, 2 ** -40)],
    tolerance: 1e-6,
  })),
  {
    name: "an infinite norm",
    inputs: () => [list([1, Infinity, 0, -Infinity, 2]), list([Infinity], [])],
    run: ([x, norm]) => [clip(x, norm, 1.5, 1), clip(x, norm, Infinity, 1)],
    nan: [[1, 3], [0, 1, 2, 3, 4]],
  },
  {
    name: "NaN in one, and in the norm",
    inputs: () => [list([1, NaN]), list([2], []), list([NaN], [])],
    run: ([x, two, none]) => [clip(x, two, 1.5, 1), clip(x, none, 1.5, 1)],
    nan: [[1], [0, 1]],
  },
];
