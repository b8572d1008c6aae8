/**
 * Memory that is asked for, and the error where there is none.
 *
 * @module
 */

/**
 * The error of an allocation that is refused: the one place that words it.
 *
 * @param requirement what there must be, with the bytes asked for
 * @param current what there is, with the bytes held
 */
export function noRoom(action: string, requirement: string, current: string, cause?: unknown): RangeError {
  const message = `Cannot ${action}: ${requirement}, current ${current}`;
  const error = cause === undefined ? new RangeError(message) : new RangeError(message, { cause });
  refusals.add(error);
  return error;
}

const refusals = new WeakSet<RangeError>();

/** Whether an error is of an allocation that was refused, for which there may be room once something else is given up. */
export function isNoRoom(error: unknown): boolean {
  return refusals.has(error as RangeError);
}

/** Arrays of one kind of numbers in host memory. */
interface Kind<A> {
  readonly BYTES_PER_ELEMENT: number;
  new (size: number): A;
}

/**
 * An array of zeros in host memory. How large one may be is the engine's affair, and each says it in words of its own.
 *
 * @param held the bytes that whoever asks holds already
 * @throws {RangeError} if the engine makes none of this size
 */
export function hostArray<A>(action: string, Numbers: Kind<A>, size: number, held = 0): A {
  try {
    return new Numbers(size);
  } catch (error) {
    throw noHostRoom(action, Numbers.BYTES_PER_ELEMENT * size, held, error);
  }
}

/** Working memory of a reference kernel, in double precision. An empty tensor may have any sizes, so it may find no room. */
export function doubles(size: number): Float64Array {
  return hostArray("compute", Float64Array, size);
}

/** An array of zeros in memory that several threads see. */
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
    throw noHostRoom(action, bytes, 0, error);
  }
  return new Numbers(buffer);
}

/** Checks that a list can have so many elements; what is asked for is a whole number. */
export function checkLength(action: string, name: string, length: number): void {
  const most = 2 ** 32 - 1;
  if (length > most) {
    throw new RangeError(
      `Cannot ${action}: ${name} must be at most ${most}, as a list's length is, current value is ${length}`,
    );
  }
}

function noHostRoom(action: string, bytes: number, held: number, cause: unknown): unknown {
  if (!(cause instanceof RangeError)) return cause;
  const requirement = `host memory must have room for ${bytes} bytes`;
  return noRoom(action, requirement, `use is ${held} bytes and the limit the engine's`, cause);
}
