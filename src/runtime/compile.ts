/**
 * Compiled functions: the first call records the kernels that run, later calls replay them.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import { isNoRoom } from "../allocate.ts";
import { show } from "../check.ts";
import { eventLoop } from "../event_loop.ts";
import { tensorsByPlace } from "../tree.ts";
import { Program, running } from "./program.ts";
import { record } from "./record.ts";
import { copyOfArguments } from "./template.ts";

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

/** The number of recordings that are kept. Beyond it, the least recently used are freed. */
const mostPrograms = 32;
/** The number of consecutive recordings without reuse after which calls are recorded ever more rarely. */
const mostInVain = 8;

/**
 * Compiles a function of tensors: the result is the same function, faster from the second call on. The first call
 * with arguments of a new form (their shapes, and every value that is not a tensor) records the kernel calls and
 * the memory that they work on, below differentiation. Later calls replay those without running `f`, in WebAssembly
 * in one call.
 *
 * `f` must be pure and must not free its arguments:
 *
 * - Whatever `f` closes over, uploads itself, or reads from an argument that is not a tensor is constant. Numbers among its
 *   arguments are part of the form: another number is another recording. Pass what changes from call to call as a tensor (of
 *   shape `[]` for a learning rate or a count of steps: see `adamW`), or as lists of numbers.
 * - Lists of numbers, such as token ids, are an argument of their own: one list for each sequence, all of one length. `f` sees
 *   their lengths and passes them on to operations, which check the numbers at every run. Reading a number is a TypeError.
 *   Lists inside another argument are part of the form, so `f` may read them: a mask among options.
 * - An argument that is the same object as in the call before, or as a part of its result, is assumed to contain the same
 *   tensors: do not pass an object that was changed in place.
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

/** A recording and its backend. */
type Found = NonNullable<ReturnType<typeof record>>;

/** Frees the tensors of a recording's lists. */
function freeLists({ backend, recorded }: Found): void {
  backend.store.free(recorded.lists.map(({ tensor }) => tensor));
}

/** The recordings of one function. */
class Programs<Args extends readonly unknown[], R> {
  readonly #f: (...args: Args) => R;
  /** Most recently used first. */
  // deno-lint-ignore no-explicit-any
  #programs: Program<any>[] = [];
  /** The number of recordings since one was reused, and of calls to let pass before the next. */
  #inVain = 0;
  #pass = 0;
  /** Whether the last call moved a cache to a larger block. */
  #movedBefore = false;
  #disposals = 0;
  /** Resolves when the recording that runs with turns of the event loop has become a program. */
  #recording: Promise<unknown> | null = null;

  constructor(f: (...args: Args) => R) {
    this.#f = f;
  }

  run(args: Args): R {
    const program = this.#programFor(args), results = program?.start();
    if (results != null) return program!.run(results) as R;
    return this.#runAsItIs(args);
  }

  async runWithTurns(args: Args, signal: AbortSignalLike | undefined): Promise<R> {
    signal?.throwIfAborted();
    let program = this.#find(args);
    if (program === undefined) {
      // The caller may change its arguments while the event loop turns.
      args = copyOfArguments(args) as unknown as Args;
      program = this.#bound(await this.#firstWithTurns(args, signal), args);
    }
    const results = program?.start();
    if (results != null) return await program!.runWithTurns(results, signal) as R;
    return this.#runAsItIs(args);
  }

  dispose(): void {
    this.#disposals++;
    for (const program of this.#programs) program.dispose();
    this.#programs = [];
  }

  /** Returns the program for arguments, bound to them; null if f must be called instead. */
  // deno-lint-ignore no-explicit-any
  #programFor(args: Args): Program<any> | null {
    const found = this.#find(args);
    if (found !== undefined) return found;
    return this.#mayRecord() ? this.#record(args) : null;
  }

  /** The same among existing programs; undefined if there is none. */
  // deno-lint-ignore no-explicit-any
  #find(args: Args): Program<any> | null | undefined {
    const programs = this.#programs;
    for (let i = 0; i < programs.length; i++) {
      const program = programs[i];
      if (!program.bind(args)) continue;
      if (i > 0) programs.unshift(...programs.splice(i, 1));
      this.#inVain = 0;
      this.#movedBefore = false;
      return program.canRun ? program : null;
    }
    return undefined;
  }

  /** Whether to record arguments that have no program; counts the calls that are not recorded. */
  #mayRecord(): boolean {
    // The present capacity of a cache that is being moved will not recur soon.
    const isMoved = !this.#movedBefore && this.#programs.some(({ lacksCapacity }) => lacksCapacity);
    this.#movedBefore = isMoved;
    return !isMoved && this.#pass-- <= 0;
  }

  // deno-lint-ignore no-explicit-any
  #record(args: Args): Program<any> | null {
    const found = this.#tryRecord(args);
    return found && this.#bound(this.#keep(found), args);
  }

  /** Makes a program for arguments that have none; null if f must be called instead. Only one is recorded at a time. */
  // deno-lint-ignore no-explicit-any
  async #firstWithTurns(args: Args, signal: AbortSignalLike | undefined): Promise<Program<any> | null> {
    while (this.#recording !== null) {
      await this.#recording;
      signal?.throwIfAborted();
      const other = this.#find(args);
      if (other !== undefined) return other;
    }
    if (!this.#mayRecord()) return null;
    const recording = this.#recordWithTurns(args, signal);
    this.#recording = recording.then(() => {}, () => {}).then(() => this.#recording = null);
    return await recording;
  }

  /** Records with turns of the event loop: recording, and making a program of it, take as long as many kernels. */
  // deno-lint-ignore no-explicit-any
  async #recordWithTurns(args: Args, signal: AbortSignalLike | undefined): Promise<Program<any> | null> {
    const disposals = this.#disposals;
    await eventLoop.turn();
    signal?.throwIfAborted();
    const found = this.#tryRecord(args);
    if (found === null) return null;
    let isKept = false;
    try {
      await eventLoop.turn();
      signal?.throwIfAborted();
      // A call without turns may have recorded the same form meanwhile.
      const other = this.#find(args);
      if (other !== undefined) return other;
      const { backend, recorded } = found;
      for (const closure of recorded.recording.closures.values()) backend.store.alive(closure, running);
      isKept = this.#disposals === disposals;
      return isKept ? this.#keep(found) : null;
    } finally {
      if (!isKept) freeLists(found);
    }
  }

  /** Binds a program to arguments; null if it can't run now. */
  // deno-lint-ignore no-explicit-any
  #bound(program: Program<any> | null, args: Args): Program<any> | null {
    return program?.bind(args) && program.canRun ? program : null;
  }

  /** Makes a program of a recording; null if there is no memory for one. */
  // deno-lint-ignore no-explicit-any
  #keep(found: Found): Program<any> | null {
    this.#programs = this.#programs.filter((program) => program.isAlive);
    const { backend, recorded } = found;
    const learned = this.#programs.find((program) => program.backend === backend && program.learn(recorded));
    if (learned !== undefined) {
      freeLists(found);
      return learned;
    }
    const beyond = ++this.#inVain - mostInVain;
    this.#pass = beyond < 0 ? 0 : 2 ** Math.min(10, beyond);
    try {
      this.#programs.unshift(new Program(backend, recorded));
    } catch (error) {
      freeLists(found);
      if (!isNoRoom(error)) throw error;
      // There may still be memory for calling f, which frees as it goes.
      this.dispose();
      return null;
    }
    for (const program of this.#programs.splice(mostPrograms)) program.dispose();
    return this.#programs[0];
  }

  #tryRecord(args: Args): Found | null {
    try {
      return record(this.#f, args);
    } catch (error) {
      // f reports the error itself, once the programs have freed their memory.
      if (!isNoRoom(error) || this.#programs.length === 0) throw error;
      this.dispose();
      return null;
    }
  }

  /** Calls f itself and frees its temporaries, as a program does. */
  #runAsItIs(args: Args): R {
    const [first] = tensorsByPlace(args), f = this.#f;
    const run = () => first === undefined ? f(...args) : first.backend.scope(() => f(...args));
    try {
      return run();
    } catch (error) {
      // Freeing the programs may make enough room.
      if (!isNoRoom(error) || this.#programs.length === 0) throw error;
      this.dispose();
      return run();
    }
  }
}
