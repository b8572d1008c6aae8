/**
 * Functions whose gradients are written by hand.
 *
 * @module
 */
import { backendOfAll, isSameShape, isTensor, shapeError, show, showShape } from "../check.ts";
import { engineOf } from "../engine.ts";
import type { Backend, Tensor } from "../tensor.ts";
import { backendOf, tensorsOf, withTensors } from "../tree.ts";

const action = "apply custom gradient";

/**
 * A function with a gradient of one's own instead of the one that follows from its operations (JAX's `custom_vjp`,
 * PyTorch's `autograd.Function`). Without {@linkcode valueAndGrad} it is `forward`. The operations within `forward`
 * are not differentiated; the gradients of its inputs are those that `backward` returns. Tensors that are not inputs
 * are constants.
 *
 * @param forward from tensors to a tensor, or to a tree of them
 * @param backward from the gradient of the result (of the result's form), the inputs and the result to a list of the
 *   inputs' gradients, each of its input's shape; null for none
 * @returns the function
 * @throws {TypeError} if forward or backward is not a function; when called, if an input is not a tensor, or forward
 *   or backward returns something else
 *
 * @example A rectifier through which gradients pass everywhere, also where it is 0: a straight-through estimator
 * ```ts
 * import { customGradient, linear, read, relu, tensor, valueAndGrad } from "@seqmix/seqmix";
 *
 * const straightThrough = customGradient(relu, (gradient) => [gradient]);
 * const sum = tensor([1, 1], [1, 2]);
 * const { grads } = valueAndGrad((x) => linear(straightThrough(x), sum), tensor([-3, 4], [2]));
 * console.log(await read(grads)); // Float32Array [ 1, 1 ]
 * ```
 *
 * @example The same numbers, with a gradient of at most length 1
 * ```ts
 * import { clipByGlobalNorm, customGradient, linear, read, tensor, valueAndGrad } from "@seqmix/seqmix";
 *
 * const clipped = customGradient(
 *   (x: ReturnType<typeof tensor>) => x,
 *   (gradient) => [clipByGlobalNorm(gradient, 1)],
 * );
 * const weight = tensor([30, 40], [1, 2]);
 * const { grads } = valueAndGrad((x) => linear(clipped(x), weight), tensor([1, 1], [2]));
 * console.log(await read(grads)); // about 0.6 and 0.8
 * ```
 */
export function customGradient<Inputs extends readonly Tensor[], R>(
  forward: (...inputs: Inputs) => R,
  backward: (gradient: R, inputs: Inputs, output: R) => readonly (Tensor | null)[],
): (...inputs: Inputs) => R {
  for (const [name, f] of [["forward", forward], ["backward", backward]] as const) {
    if (typeof f !== "function") {
      throw new TypeError(
        `Cannot make custom gradient: ${name} must be a function, current value is ${show(f)}`,
      );
    }
  }
  return (...given) => {
    const engine = engineOf(backendOfInputs(given));
    const { runUnrecorded } = engine;
    if (runUnrecorded === undefined) return engine.scope(() => checkedResult(forward(...given), engine));
    let result: R;
    const outputs = runUnrecorded(
      given,
      (inputs) => {
        result = checkedResult(forward(...inputs as Inputs), engine.inner!);
        return tensorsOf(result);
      },
      ({ inputs, outputs, grads }) =>
        engineOf(engine.inner!).ownResults!(() => {
          const own = inputs as unknown as Inputs;
          return checkedGradients(
            backward(withTensors(result, grads), own, withTensors(result, outputs)),
            own,
            engine.inner!,
          );
        }, grads),
    );
    return withTensors(result!, outputs);
  };
}

function backendOfInputs(inputs: readonly Tensor[]): Backend {
  const names = inputs.map((t, i) => {
    if (!isTensor(t)) {
      throw new TypeError(`Cannot ${action}: input ${i} must be a tensor, current value is ${show(t)}`);
    }
    return `input ${i}`;
  });
  if (inputs.length === 0) {
    throw new TypeError(`Cannot ${action}: there must be at least one input, current number is 0`);
  }
  return backendOfAll(action, names, inputs);
}

/** The result of `forward`, all of whose tensors must live on the inputs' backend. */
function checkedResult<R>(result: R, backend: Backend): R {
  backendOf(action, "forward's result", result);
  const other = tensorsOf(result).find((t) => t.backend !== backend);
  if (other !== undefined) {
    throw new TypeError(
      `Cannot ${action}: forward must return tensors of its inputs' backend (what is differentiated must be an input), ` +
        `current one of shape ${showShape(other.shape)} lives on another ${other.backend.name}`,
    );
  }
  return result;
}

function checkedGradients(
  found: readonly (Tensor | null)[],
  inputs: readonly Tensor[],
  backend: Backend,
): readonly (Tensor | null)[] {
  const action = "differentiate (custom gradient)";
  if (!Array.isArray(found) || found.length !== inputs.length) {
    throw new TypeError(
      `Cannot ${action}: backward must return a list with a gradient or null for each of ${inputs.length} inputs, ` +
        `current value is ${show(found)}`,
    );
  }
  found.forEach((t, i) => {
    if (t === null) return;
    if (!isTensor(t) || !isSameShape(t.shape, inputs[i].shape)) {
      throw shapeError(action, `gradient ${i}`, t, inputs[i].shape);
    }
    if (t.backend !== backend) {
      throw new TypeError(
        `Cannot ${action}: gradient ${i} must live on its input's backend, current one lives on ` +
          `${t.backend.name === backend.name ? "another " : ""}${t.backend.name}`,
      );
    }
  });
  return found;
}
