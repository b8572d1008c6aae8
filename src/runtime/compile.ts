/**
 * Compiled functions: the first call records the kernels that run, later calls replay them.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import { show } from "../check.ts";
import { Programs } from "./programs.ts";

/** A compiled function. */
export interface Compiled<Args extends readonly unknown[], R> extends Disposable {
  (...args: Args): R;
  /**
   * Runs the function and lets the event loop turn every 20 ms, so that timers fire and pages paint during a long
   * computation. The arguments, and what f closes over, must not be freed before it is done. The result is the same
   * as without turns.
   *
   * @param args the arguments
   * @param signal aborts the computation, with the signal's reason as the error
   */
  withTurns(args: Args, signal?: AbortSignalLike): Promise<R>;
  /** Frees all recordings. A later call records again. */
  [Symbol.dispose](): void;
}

/**
 * Compiles a function of tensors: the result is the same function, faster from the second call on. The first call
 * with arguments of a new form (their shapes, and every value that is not a tensor) records the kernel calls and
 * the memory that they work on, below differentiation. Later calls replay those without running `f`, in WebAssembly
 * in one call.
 *
 * `f` must be pure and must not free its arguments:
 *
 * - Whatever `f` closes over, uploads itself, or reads from an argument that is not a tensor is constant. Numbers
 *   among its arguments are part of the form: another number is another recording. Pass what changes from call to call
 *   as a tensor (of shape `[]` for a learning rate or a count of steps: see `adamW`), or as lists of numbers.
 * - Lists of numbers, such as token ids, are an argument of their own: one list for each sequence, all of one length.
 *   `f` sees their lengths and passes them on to operations, which check the numbers at every run. Reading a number is
 *   a TypeError. Lists inside another argument are part of the form, so `f` may read them: a mask among options.
 * - An argument that is the same object as in the call before, or as a part of its result, is assumed to contain the
 *   same tensors: do not pass an object that was changed in place.
 * - `f` can't read a tensor's numbers, which do not exist while it is recorded. Trying to is a TypeError.
 *
 * Results are new tensors at every call, so that earlier states stay valid. Everything else that `f` makes is
 * freed, or lives in memory that all compiled functions of a backend share and that counts towards the backend. A
 * growing key-value cache has one form at all lengths, as long as `f` itself does not read its length; operations
 * and layers may. At most 32 forms are kept; forms that do not recur are recorded ever more rarely, and `f` is
 * called instead. `[Symbol.dispose]` frees the recordings, as disposing of the backend does, and as a call does
 * that runs out of memory.
 *
 * @param f a function from trees of tensors, lists of numbers and any other values to a tree with tensors, not to a
 *   promise
 * @returns the compiled function
 * @throws {TypeError} if f is not a function; when called, if f reads numbers or returns a promise; and whatever f
 *   throws
 *
 * @example A step of a model, and its state
 * ```ts
 * import { compile, createWasm, presets, put, read, rwkv, type Tensor } from "@seqmix/seqmix";
 *
 * using backend = await createWasm();
 * const params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
 * using step = compile(rwkv.forward);
 * let state = rwkv.initialState(params);
 * for (const id of [1, 2, 3]) {
 *   const { logits, state: next } = step(params, [[id]], state);
 *   console.log((await read(logits)).length); // 64
 *   backend.free([logits, state]);
 *   state = next;
 * }
 * ```
 *
 * @example A whole step of training
 * ```ts
 * import { adamW, compile, createWasm, crossEntropy, presets, put, read, rwkv, tensor, valueAndGrad } from "@seqmix/seqmix";
 *
 * using backend = await createWasm();
 * let params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
 * // A step count in a tensor is not part of the form.
 * let state = { ...adamW.init(params), step: tensor([0], [], backend) };
 * type Params = typeof params;
 * using train = compile((params: Params, optimizer: typeof state, inputs: number[][], targets: number[][]) => {
 *   const { value, grads } = valueAndGrad((params) => {
 *     const { logits } = rwkv.forward(params, inputs, rwkv.initialState(params));
 *     return crossEntropy(logits, targets);
 *   }, params);
 *   return { value, ...adamW.update(grads, optimizer, params, { learningRate: 1e-3 }) };
 * });
 * for (let step = 0; step < 3; step++) {
 *   const next = train(params, state, [[1, 2, 3]], [[2, 3, 4]]);
 *   console.log(await read(next.value));
 *   backend.free([params, state, next.value]);
 *   ({ params, state } = next);
 * }
 * ```
 */
export function compile<Args extends readonly unknown[], R>(f: (...args: Args) => R): Compiled<Args, R> {
  if (typeof f !== "function") {
    throw new TypeError(`Cannot compile: f must be a function, current value is ${show(f)}`);
  }
  const programs = new Programs<Args, R>(f);
  const step = (...args: Args): R => programs.run(args);
  return Object.assign(step, {
    async withTurns(args: Args, signal?: AbortSignalLike): Promise<R> {
      if (!Array.isArray(args)) {
        throw new TypeError(
          `Cannot run compiled function: args must be the list of its arguments, current value is ${
            show(args)
          }`,
        );
      }
      return await programs.runWithTurns(args, signal);
    },
    [Symbol.dispose]: () => programs.dispose(),
  });
}
