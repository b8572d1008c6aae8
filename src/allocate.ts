/**
 * Allocates host memory, and words the error if that fails.
 *
 * @module
 */

/**
 * The error of an allocation that fails; all messages are made here.
 *
 * @param requirement the requirement, with the number of bytes requested
 * @param current the current state, with the number of bytes in use
 */
export function outOfMemory(
  action: string,
  requirement: string,
  current: string,
  cause?: unknown,
): RangeError {
  const message = `Cannot ${action}: ${requirement}, current ${current}`;
  const error = cause === undefined ? new RangeError(message) : new RangeError(message, { cause });
  refusals.add(error);
  return error;
}

const refusals = new WeakSet<RangeError>();

/** Whether an error is a failed allocation, which may succeed once other memory is freed. */
export function isOutOfMemory(error: unknown): boolean {
  return refusals.has(error as RangeError);
}

/** The constructor of a typed array. */
interface Kind<A> {
  readonly BYTES_PER_ELEMENT: number;
  new (size: number): A;
}

/**
 * An array of zeros in host memory. Its maximum size, and the error beyond it, depend on the JavaScript engine.
 *
 * @param held the number of bytes that the caller uses already
 * @throws {RangeError} if the engine refuses this size
 */
export function hostArray<A>(action: string, Numbers: Kind<A>, size: number, held = 0): A {
  try {
    return new Numbers(size);
  } catch (error) {
    throw outOfHostMemory(action, Numbers.BYTES_PER_ELEMENT * size, held, error);
  }
}

/**
 * Working memory of a reference kernel, in double precision. An empty tensor may have any sizes, so this may fail.
 */
export function doubles(size: number): Float64Array {
  return hostArray("compute", Float64Array, size);
}

/** An array of zeros in memory that threads can share. */
export function sharedHostArray<A>(
  action: string,
  Numbers: Kind<A> & { new (buffer: SharedArrayBuffer): A },
  size: number,
): A {
  const bytes = Numbers.BYTES_PER_ELEMENT * size;
  let buffer: SharedArrayBuffer;
  try {
    buffer = new SharedArrayBuffer(bytes);
  } catch (error) {
    throw outOfHostMemory(action, bytes, 0, error);
  }
  return new Numbers(buffer);
}

/** Checks that a list can have this length, which is a whole number. */
export function checkLength(action: string, name: string, length: number): void {
  const most = 2 ** 32 - 1;
  if (length > most) {
    throw new RangeError(
      `Cannot ${action}: ${name} must be at most ${most}, as a list's length is, current value is ${length}`,
    );
  }
}

function outOfHostMemory(action: string, bytes: number, held: number, cause: unknown): unknown {
  if (!(cause instanceof RangeError)) return cause;
  const requirement = `host memory must have room for ${bytes} bytes`;
  return outOfMemory(action, requirement, `use is ${held} bytes and the limit the engine's`, cause);
}
