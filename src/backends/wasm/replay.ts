/**
 * Encodes recorded calls as a program in WebAssembly's memory, which a single call runs.
 *
 * @module
 */
import type { Call } from "../../runtime/recording.ts";
import type { Replayer } from "../../runtime/replay.ts";

/** The parts of the module that programs use. */
interface ReplayModule {
  /** Runs the calls between two addresses, with a table of slots: see `tools/replay_source.ts`. */
  readonly replay: (start: number, end: number, slots: number) => void;
  /** For each kernel, in the order of their numbers, one letter per argument: address, integer or float. */
  readonly kinds: Readonly<Record<string, string>>;
  /** A view of all memory; a new one after it grows. */
  readonly words: () => Uint32Array;
}

/**
 * Encodes calls as 32-bit words. Each call is the number of its kernel and its arguments: a float takes two words,
 * and an address is an index into the table of slots, whose first entry is null.
 *
 * @param allocate allocates a number of elements; returns the memory and a function that frees it
 */
export function replayInWasm(
  calls: readonly Call[],
  slotCount: number,
  { replay, kinds, words }: ReplayModule,
  allocate: (size: number) => { readonly memory: number; readonly free: () => void },
): Replayer<number> {
  const numbers = new Map(Object.keys(kinds).map((kernel, number) => [kernel, number]));
  const tableWords = slotCount + 1;
  /** The start of each call, in words after the table, and the end of the last. */
  const starts = [tableWords];
  for (const { kernel } of calls) {
    const floats = kinds[kernel].split("f").length - 1;
    starts.push(starts[starts.length - 1] + 1 + kinds[kernel].length + floats);
  }
  const { memory, free } = allocate(starts[calls.length]);
  const table = memory / 4;

  function setterOf(call: number, at: number): (value: number) => void {
    const letters = kinds[calls[call].kernel];
    let word = table + starts[call] + 1;
    for (let i = 0; i < at; i++) word += letters[i] === "f" ? 2 : 1;
    // Integers wrap as they do when JavaScript calls WebAssembly.
    if (letters[at] !== "f") return (value) => words()[word] = value;
    const float = new Float64Array(1), halves = new Uint32Array(float.buffer);
    return (value) => {
      float[0] = value;
      words()[word] = halves[0];
      words()[word + 1] = halves[1];
    };
  }

  const float = new Float64Array(1), halves = new Uint32Array(float.buffer), program = words();
  program[table] = 0;
  let word = table + tableWords;
  for (const { kernel, args } of calls) {
    program[word++] = numbers.get(kernel)!;
    const letters = kinds[kernel];
    for (let at = 0; at < letters.length; at++) {
      const arg = args[at] ?? 0;
      if (letters[at] === "f") {
        float[0] = arg as number;
        program[word++] = halves[0];
        program[word++] = halves[1];
      } else {
        program[word++] = typeof arg === "number" ? arg : 4 * (arg.index + 1);
      }
    }
  }

  return {
    bind: (slot, address) => words()[table + slot + 1] = address,
    setterOf,
    run: (from, to) => replay(memory + 4 * starts[from], memory + 4 * starts[to], memory),
    free,
  };
}
