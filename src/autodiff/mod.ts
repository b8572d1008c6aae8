/**
 * Gradients by reverse-mode differentiation: a function runs on a recording backend, then the recording is
 * traversed backwards.
 *
 * @module
 */
import { isTensor, show, showShape } from "../check.ts";
import { type Engine, engineOf } from "../engine.ts";
import type { Tensor } from "../tensor.ts";
import { backendOf, mapTensors, sizeOf, tensorsByPlace, withTensors } from "../tree.ts";
import { createTape } from "./tape.ts";

/**
 * The value of a function and its gradient with respect to a tree of tensors, by reverse-mode differentiation
 * (Griewank, Walther: "Evaluating Derivatives", 2008; the interface is that of JAX's `value_and_grad`).
 *
 * `loss` is called once, with the parameters as tensors of a recording backend. Every operation runs on the
 * parameters' own backend and is recorded; then the gradient rules are applied from the last operation to the first.
 * Other tensors of that backend are constants. A tensor in several places of the parameters (`head === embedding`) is
 * one variable: its gradient, summed over all places, is one tensor in all of them. Distinct parameters have distinct
 * gradient tensors. Recorded tensors are freed on the way back; `scope` and `free` inside `loss` take effect once the
 * gradients are done.
 *
 * @param loss from the parameters to a single number, or to a pair of that and any other value (a next state,
 *   logits)
 * @param params nested plain objects and arrays; every tensor in them gets a gradient, states as well as weights
 * @returns the value, a single number; the gradients, a tree of the form of `params` (0 where the value does not
 *   depend on a tensor); and the other value that `loss` returned, as constants. All live on the parameters'
 *   backend
 * @throws {TypeError} if loss does not return a single number that depends on params, or returns a promise, or if the
 *   parameters contain no tensor or tensors of several backends
 *
 * @example The slope of a mean of squares
 * ```ts
 * import { linear, multiply, read, tensor, valueAndGrad } from "@seqmix/seqmix";
 *
 * const mean = tensor([0.5, 0.5], [1, 2]);
 * const loss = (params: { x: ReturnType<typeof tensor> }) => linear(multiply(params.x, params.x), mean);
 * const { value, grads } = valueAndGrad(loss, { x: tensor([3, 4], [2]) });
 * console.log(await read(value), await read(grads.x)); // 12.5, and 3 and 4
 * ```
 *
 * @example One batch of training
 * ```ts
 * import { crossEntropy, presets, rwkv, valueAndGrad } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1);
 * const { value, grads, aux } = valueAndGrad((params) => {
 *   const { logits, state } = rwkv.forward(params, [[1, 2, 3]], rwkv.initialState(params));
 *   return [crossEntropy(logits, [[2, 3, 4]]), state] as const;
 * }, params);
 * console.log(value.shape, grads.head.shape, aux.blocks.length); // [] [ 64, 32 ] 4
 * ```
 *
 * @example A loop: a step's tensors are freed by a scope or `free`, and its value is awaited
 * ```ts
 * import { add, createWasm, linear, multiply, read, tensor, valueAndGrad } from "@seqmix/seqmix";
 *
 * using backend = await createWasm();
 * const mean = tensor([0.5, 0.5], [1, 2], backend), rate = tensor([-0.1, -0.1], [2], backend);
 * let x = tensor([3, 4], [2], backend);
 * for (let step = 0; step < 3; step++) {
 *   const { value, next } = backend.scope(() => {
 *     const { value, grads } = valueAndGrad((x) => linear(multiply(x, x), mean), x);
 *     return { value, next: add(x, multiply(rate, grads)) };
 *   });
 *   backend.free(x);
 *   x = next;
 *   console.log(await read(value)); // 12.5, 10.125, 8.201; timers fire and pages paint here
 *   backend.free(value);
 * }
 * ```
 */
export function valueAndGrad<P, A = undefined>(
  loss: (params: P) => Tensor | readonly [loss: Tensor, aux: A],
  params: P,
): { value: Tensor; grads: P; aux: A } {
  const action = "differentiate";
  if (typeof loss !== "function") {
    throw new TypeError(`Cannot ${action}: loss must be a function, current value is ${show(loss)}`);
  }
  const inner = oneBackend(action, params);
  const tape = createTape(inner);
  return inner.hold(() => loss(mapTensors(params, (t) => tape.variable(t))), (result) => {
    const [recorded, extra] = Array.isArray(result) ? result as [Tensor, A] : [result as Tensor, undefined];
    if (!isTensor(recorded) || sizeOf(recorded.shape) !== 1) {
      throw new TypeError(
        `Cannot ${action}: loss must return a single number, or a list of that and something else, current ${
          isTensor(recorded) ? `shape is ${showShape(recorded.shape)}` : `value is ${show(recorded)}`
        }`,
      );
    }
    if (!tape.isReached(recorded)) {
      throw new TypeError(
        `Cannot ${action}: loss must depend on params by operations with gradients, current loss is a constant`,
      );
    }
    const value = tape.detach(recorded), aux = tape.detach(extra) as A;
    const grads = tape.backward([recorded], [inner.upload([1], value.shape)], [value, aux]);
    return { value, grads: withTensors(params, grads), aux };
  });
}

/**
 * The results of a function and the vector-Jacobian product: the generalisation of {@linkcode valueAndGrad} to
 * results of any shape.
 *
 * @param f from the parameters to tensors
 * @param params a tree of tensors
 * @param seeds the gradients of the results, in their order
 */
export function vjp<P>(
  f: (params: P) => readonly Tensor[],
  params: P,
  seeds: readonly Tensor[],
): { values: readonly Tensor[]; grads: P } {
  const inner = oneBackend("differentiate", params);
  const tape = createTape(inner);
  return inner.hold(() => f(mapTensors(params, (t) => tape.variable(t))), (results) => {
    const values = tape.detach(results);
    return { values, grads: withTensors(params, tape.backward(results, seeds, values)) };
  });
}

function oneBackend(action: string, params: unknown): Engine {
  const backend = engineOf(backendOf(action, "params", params));
  if (tensorsByPlace(params).some((t) => t.backend !== backend)) {
    throw new TypeError(
      `Cannot ${action}: all tensors of params must live on one backend (move them with put), current tensors ` +
        "live on several",
    );
  }
  if (backend.inner !== undefined) {
    throw new TypeError(
      `Cannot ${action}: params must live on a backend that computes, current one records (there are no second derivatives)`,
    );
  }
  return backend;
}
