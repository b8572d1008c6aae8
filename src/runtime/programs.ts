/**
 * The recordings of a function: which one a call uses, when another is made, and which are kept.
 *
 * @module
 */
import type { AbortSignalLike } from "../abort.ts";
import { isOutOfMemory } from "../allocate.ts";
import { eventLoop } from "../event_loop.ts";
import { tensorsByPlace } from "../tree.ts";
import { Program, running } from "./program.ts";
import { record } from "./record.ts";
import { copyOfArguments } from "./template.ts";

/** The number of recordings that are kept. Beyond it, the least recently used are freed. */
const mostPrograms = 32;
/** The number of consecutive recordings without reuse after which calls are recorded ever more rarely. */
const mostInVain = 8;

/** A recording and its backend. */
type Found = NonNullable<ReturnType<typeof record>>;

/** Frees the tensors of a recording's lists. */
function freeLists({ backend, recorded }: Found): void {
  backend.store.free(recorded.lists.map(({ tensor }) => tensor));
}

/** The recordings of one function, and the programs made of them. */
export class Programs<Args extends readonly unknown[], R> {
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

  /**
   * Frees the memory of all programs; their recordings stay for later calls, where those hold no memory of their own.
   */
  sleep(): void {
    this.#programs = this.#programs.filter((program) => {
      const isKept = program.sleep();
      if (!isKept) program.dispose();
      return isKept;
    });
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
      return program.canRun && this.#wake(program) ? program : null;
    }
    return undefined;
  }

  /** Whether there is memory for a program. */
  // deno-lint-ignore no-explicit-any
  #wake(program: Program<any>): boolean {
    try {
      program.wake();
      return true;
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      this.dispose();
      return false;
    }
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
    return program?.bind(args) && program.canRun && this.#wake(program) ? program : null;
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
      if (!isOutOfMemory(error)) throw error;
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
      if (!isOutOfMemory(error) || this.#programs.length === 0) throw error;
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
      // Freeing the programs may free enough memory.
      if (!isOutOfMemory(error) || this.#programs.length === 0) throw error;
      this.dispose();
      return run();
    }
  }
}
