/**
 * A function made into one that writes down what it computes, and does that again when it is called again.
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

/** A function that is compiled. */
export interface Compiled<Args extends readonly unknown[], R> extends Disposable {
  (...args: Args): R;
  /**
   * The same while the event loop turns every 20 ms, so that timers fire and pages paint during a long computation. The
   * arguments, and what f closes over, must not be freed before it is done; what it computes does not depend on the turns.
   *
   * @param args the arguments
   * @param signal ends it, with the signal's reason as an error
   */
  withTurns(args: Args, signal?: AbortSignalLike): Promise<R>;
  /** Frees what was recorded; if it is called again, it is recorded again. */
  [Symbol.dispose](): void;
}

/** The number of recordings that are kept; of those beyond, the ones that were used longest ago are freed. */
const mostPrograms = 32;
/** The number of recordings in a row that no later call used, from which on calls are recorded ever more seldom. */
const mostInVain = 8;

/**
 * Compiles a function of tensors: the same function, which takes less time when it is called again. The first call with
 * arguments of a form (shapes, and everything that is no tensor) records which kernels it calls on which memory, below
 * differentiation; later ones run those without going through the function, in WebAssembly in one call.
 *
 * `f` must be pure, and free nothing that it is given:
 *
 * - What it closes over, makes of numbers itself, or reads from an argument that is no tensor is the same at every run. Numbers
 *   among its arguments are part of the form: another number is another recording. What changes from call to call is a tensor (of
 *   shape `[]` for a learning rate or a count of steps: see `adamW`), or lists of numbers.
 * - Lists of numbers, token ids say, are an argument of their own: a list for each sequence, all of one length. `f` sees their
 *   lengths, and passes them on to operations, which check the numbers at every run; to read a number is a TypeError.
 * - An argument that is the same object as in the call before, or as in its result, is taken to have the same tensors in it: an
 *   object that was changed in place must not be passed again.
 * - It can't read a tensor's numbers, which are not there while it is recorded: a TypeError says so.
 *
 * Results are new tensors each time, so that states that are kept stay as they are. What else `f` makes is freed, or is in memory
 * that all compiled functions of a backend share and that counts as the backend's. A key-value cache that grows is of one
 * form at all lengths, as long as `f` itself does not read its length: operations and layers may. At most 32 forms are kept; forms
 * that do not come again are recorded ever more seldom, and are run as `f` is. `[Symbol.dispose]` frees what was recorded, as the end
 * of the backend does; so does a call that finds no room.
 *
 * @param f from trees of tensors, lists of numbers and anything else to a tree with tensors; not a promise of one
 * @returns f, compiled
 * @throws {TypeError} if f is not a function; when it is called, if f reads numbers or returns a promise; and what f throws
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
 * // Steps that are counted in a tensor are not part of the form.
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

/** A recording, and the backend that it is of. */
type Found = NonNullable<ReturnType<typeof record>>;

/** Frees what a recording holds. */
function freeLists({ backend, recorded }: Found): void {
  backend.store.free(recorded.lists.map(({ tensor }) => tensor));
}

/** What was recorded of one function. */
class Programs<Args extends readonly unknown[], R> {
  readonly #f: (...args: Args) => R;
  /** The last used first. */
  // deno-lint-ignore no-explicit-any
  #programs: Program<any>[] = [];
  /** The number of recordings since one was used again, and of calls to let pass before the next. */
  #inVain = 0;
  #pass = 0;
  /** Whether a cache was moved at the last call, to where there is more room. */
  #movedBefore = false;
  #disposals = 0;
  /** Done when what is being recorded while the event loop turns is a program. */
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
      // What the caller changes while the event loop turns is none of this call's.
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

  /** The program for arguments, bound to them; null where f is to be run as it is. */
  // deno-lint-ignore no-explicit-any
  #programFor(args: Args): Program<any> | null {
    const found = this.#find(args);
    if (found !== undefined) return found;
    return this.#mayRecord() ? this.#record(args) : null;
  }

  /** The same among those that there are; undefined: there is none. */
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

  /** Whether arguments for which there is no program are to be recorded; counts the calls that are not. */
  #mayRecord(): boolean {
    // What a moved cache is of now, it will not be again soon.
    const isMoved = !this.#movedBefore && this.#programs.some(({ lacksRoom }) => lacksRoom);
    this.#movedBefore = isMoved;
    return !isMoved && this.#pass-- <= 0;
  }

  // deno-lint-ignore no-explicit-any
  #record(args: Args): Program<any> | null {
    const found = this.#tryRecord(args);
    return found && this.#bound(this.#keep(found), args);
  }

  /** A program for arguments that there was none for; null where f is to be run as it is. One is recorded at a time. */
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

  /** Records while the event loop turns: to do so, and to make a program of that, takes as long as many kernels. */
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
      // A call without turns may have recorded the same meanwhile.
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

  /** A program bound to arguments, if it can run now. */
  // deno-lint-ignore no-explicit-any
  #bound(program: Program<any> | null, args: Args): Program<any> | null {
    return program?.bind(args) && program.canRun ? program : null;
  }

  /** A program of what was recorded; null where there is no room for one. */
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
      // Where there is no room for the program, there may be for what f has in memory at once.
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
      // It is for f itself to say so, once nothing else has the room.
      if (!isNoRoom(error) || this.#programs.length === 0) throw error;
      this.dispose();
      return null;
    }
  }

  /** Runs f itself, and frees what it leaves behind, as a program does. */
  #runAsItIs(args: Args): R {
    const [first] = tensorsByPlace(args), f = this.#f;
    const run = () => first === undefined ? f(...args) : first.backend.scope(() => f(...args));
    try {
      return run();
    } catch (error) {
      // What programs hold may be the room that it needs.
      if (!isNoRoom(error) || this.#programs.length === 0) throw error;
      this.dispose();
      return run();
    }
  }
}
