/** Reads token streams. */

/** All ids of a stream, and its return value. */
export async function collect<S>(stream: AsyncGenerator<number, S>): Promise<{ ids: number[]; state: S }> {
  const ids: number[] = [];
  for (;;) {
    const { value, done } = await stream.next();
    if (done) return { ids, state: value as S };
    ids.push(value as number);
  }
}

/** The error of a stream that must fail, and the ids before it. */
export async function failureOf(
  stream: AsyncGenerator<number, unknown>,
): Promise<{ error: unknown; ids: number[] }> {
  const ids: number[] = [];
  try {
    for await (const id of stream) ids.push(id);
  } catch (error) {
    return { error, ids };
  }
  throw new Error("the stream did not fail");
}
