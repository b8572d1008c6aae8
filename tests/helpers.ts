/** Helpers of many tests. */
import { assert, assertEquals, AssertionError, assertStrictEquals } from "@std/assert";
import { type Backend, type Tensor, tensor } from "@seqmix/seqmix";
import { run } from "../src/compute.ts";
import { type Engine, engineOf } from "../src/engine.ts";
import type { Operation } from "../src/operation.ts";
import { type RandomSource, randomSource } from "../src/random.ts";
import { backends } from "./backends.ts";

/** The numbers of a tensor before it is on a backend. In single precision, so that all backends have the same. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Numbers as a function of the index. */
export function numbers(shape: readonly number[], at: (i: number) => number): Numbers {
  const size = shape.reduce((product, axis) => product * axis, 1);
  return { shape, data: Float32Array.from({ length: size }, (_, i) => at(i)) };
}

/** Given numbers. */
export function list(data: readonly number[], shape: readonly number[] = [data.length]): Numbers {
  return numbers(shape, (i) => data[i]);
}

/** Normally distributed numbers with a standard deviation. */
export function normal(random: RandomSource, shape: readonly number[], deviation = 1): Numbers {
  return numbers(shape, () => deviation * random.normal());
}

/** Uniformly distributed numbers from `-most` to `most`. */
export function uniform(random: RandomSource, shape: readonly number[], most: number): Numbers {
  return numbers(shape, () => most * (2 * random.uniform() - 1));
}

/** Integers from 0 to n - 1: token ids. */
export function integers(random: RandomSource, shape: readonly number[], n: number): Numbers {
  return numbers(shape, () => random.integer(n));
}

/** Sizes as the name of a case. */
export function show(sizes: readonly number[]): string {
  return sizes.join("×") || "a number";
}

/** A tensor of normally distributed numbers, determined by a seed. */
export function randomTensor(seed: number, shape: readonly number[], backend?: Backend): Tensor {
  return tensor(normal(randomSource(seed), shape).data, shape, backend);
}

/** The largest error relative to the largest expected number; NaN if only one of two numbers is NaN. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assertEquals(actual.length, expected.length, "as many numbers as expected");
  let error = 0, scale = 0;
  for (let i = 0; i < expected.length; i++) {
    // Math.max propagates NaN.
    error = Math.max(error, Math.abs(actual[i] - expected[i]));
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return error === 0 ? 0 : error / scale;
}

/** Asserts that the relative error is at most the tolerance; NaN is not. */
export function assertNear(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what = "numbers",
): void {
  const error = relativeError(actual, expected);
  if (!(error <= tolerance)) {
    throw new AssertionError(`${what} differ by ${error} of their scale, more than ${tolerance}`);
  }
}

/** Asserts that the numbers are the same bit for bit; any NaN equals any other. */
export function assertSame(actual: ArrayLike<number>, expected: ArrayLike<number>, what = "numbers"): void {
  assertEquals(actual.length, expected.length, `length of ${what}`);
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) {
      throw new AssertionError(`${what}[${i}] is ${actual[i]}, not ${expected[i]}`);
    }
  }
}

/** A test on every backend, with a new instance of each. */
export function testOnAll(name: string, body: (backend: Engine) => Promise<void> | void): void {
  for (const { name: on, create } of backends) {
    Deno.test(`${name} on ${on}`, async () => {
      using backend = engineOf(await create());
      await body(backend);
    });
  }
}

/**
 * The kernel of an operation's gradient, which takes the gradients of its outputs, its inputs, and its outputs if
 * needed.
 */
export function runBackward(
  operation: Operation,
  tensors: readonly Tensor[],
  constants: readonly number[] = [],
): readonly Tensor[] {
  return run(operation.backward!, tensors, constants);
}

/** A call that must fail: what is wrong with it, the call, and the class and the message of the error. */
export type Failure = readonly [
  name: string,
  run: () => unknown,
  errorClass: ErrorConstructor,
  message: string,
];

/** A test that a symbol refuses bad input with the right error and message, with a step for each failure. */
export function testFailures(symbol: string, failures: readonly Failure[]): void {
  Deno.test(`${symbol} refuses bad input with a message`, async (t) => {
    for (const [name, run, errorClass, message] of failures) {
      await t.step(name, async () => {
        const error = await failureOf(run);
        assertEquals(error.message, message);
        assertStrictEquals(error.constructor, errorClass);
      });
    }
  });
}

async function failureOf(run: () => unknown): Promise<Error> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new AssertionError("nothing was refused");
}

/** A value of a type that the signature does not allow. */
export function wrong(value: unknown): never {
  return value as never;
}

const guardWords = 8, guard = 12345.678;

/**
 * Calls a kernel on host memory as a device would, with memory around its arguments. Asserts that it writes every
 * element of its outputs and nothing else, reads neither outputs nor memory behind the inputs, and changes no input.
 *
 * @param sizes the numbers of elements of the outputs
 * @param constants the kernel's arguments after its inputs
 * @returns the outputs
 */
export function runKernel(
  // The arguments of every kernel are outputs, inputs, sizes, constants, which no single type can express.
  kernel: (...args: never[]) => void,
  sizes: readonly number[],
  inputs: readonly (Float32Array | null)[],
  constants: readonly number[],
): Float32Array[] {
  const [first, second] = [NaN, 7].map((poison) => {
    const outputs = sizes.map((size) => guarded(new Float32Array(size).fill(poison), guard));
    const copies = inputs.map((input) => input && guarded(input, NaN));
    kernel(...[...outputs, ...copies, ...constants] as never[]);
    copies.forEach((copy, i) => copy && assertSame(copy, guarded(inputs[i]!, NaN), `input ${i} afterwards`));
    return outputs.map((output, i) => {
      assertSame(output.subarray(sizes[i]), guarded([], guard), `guard of output ${i}`);
      return output.slice(0, sizes[i]);
    });
  });
  first.forEach((output, i) => {
    assert(!output.some(Number.isNaN), `output ${i} has a NaN`);
    assertSame(output, second[i], `output ${i}, whatever stood there,`);
  });
  return first;
}

function guarded(numbers: ArrayLike<number>, word: number): Float32Array {
  const buffer = new Float32Array(numbers.length + guardWords).fill(word);
  buffer.set(numbers);
  return buffer;
}
