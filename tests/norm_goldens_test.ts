/** Norms and the mean squared error, and their gradients, compared with PyTorch's. */
import { assertEquals } from "@std/assert";
import {
  groupNorm,
  l2Normalize,
  meanSquaredError,
  read,
  squaredNorm,
  type Tensor,
  tensor,
} from "@seqmix/seqmix";
import { vjp } from "../src/autodiff/mod.ts";
import { loadNorms, type Numbers } from "./fixtures/load.ts";
import { assertNear, testOnAll } from "./helpers.ts";

type Constants = Readonly<Record<string, number>>;

const functions: Readonly<Record<string, (inputs: readonly Tensor[], constants: Constants) => Tensor>> = {
  groupNorm: ([x, weight, bias], { groups, epsilon }) => groupNorm(x, { weight, bias }, groups, { epsilon }),
  l2Normalize: ([x]) => l2Normalize(x),
  meanSquaredError: ([prediction, target, weights]) => meanSquaredError(prediction, target, weights),
  squaredNorm: (inputs) => squaredNorm(inputs),
};

for (const [i, { name, constants, inputs, gy, y, grads }] of loadNorms("norms").entries()) {
  testOnAll(`${name}() and its gradient equal PyTorch's, case ${i},`, async (backend) => {
    const put = ({ data, shape }: Numbers) => tensor(data, shape, backend);
    const tensors = inputs.map(put), isConstant = (i: number) => grads[i] === null;
    const found = vjp(
      (variables: readonly (Tensor | null)[]) => [
        functions[name](variables.map((t, i) => t ?? tensors[i]), constants),
      ],
      tensors.map((t, i) => isConstant(i) ? null : t),
      [put(gy)],
    );
    assertEquals(found.values[0].shape, y.shape);
    assertNear(await read(found.values[0]), y.data, 1e-5, "y");
    for (const [i, grad] of grads.entries()) {
      if (grad !== null) assertNear(await read(found.grads[i]!), grad.data, 1e-5, `gradient ${i}`);
    }
  });
}
