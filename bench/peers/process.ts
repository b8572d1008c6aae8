/**
 * A process that answers requests: a line of JSON to it, a line of JSON back.
 *
 * @module
 */

/** A process that runs. */
export interface PeerProcess {
  /** Gives it bytes that are no request. */
  send(bytes: Uint8Array): Promise<void>;
  /** The answer to a request. Rejects with the last line of the process's errors, or its code, where it ended instead. */
  ask<Answer>(request: unknown): Promise<Answer>;
  /** Ends the process. */
  close(): Promise<void>;
}

/**
 * Starts a process.
 *
 * @throws {Error} where there is no such command
 */
export function startProcess(command: string, args: readonly string[]): PeerProcess {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  const requests = child.stdin.getWriter();
  const answers = lines(child.stdout);
  const failure = async () => {
    const said = (await errors).trim().split("\n").at(-1);
    return new Error(said || `it ended with code ${(await child.status).code}`);
  };
  const send = async (bytes: Uint8Array) => {
    try {
      await requests.write(bytes);
    } catch {
      // A process that ended before it read everything says why.
      throw await failure();
    }
  };
  return {
    send,
    async ask(request) {
      await send(new TextEncoder().encode(JSON.stringify(request) + "\n"));
      const { value, done } = await answers.next();
      if (done) throw await failure();
      return JSON.parse(value);
    },
    async close() {
      // Where the process has ended by itself there is nobody to tell.
      await requests.close().catch(() => {});
      await child.status;
    },
  };
}

/** The lines of a text as they come. */
export async function* lines(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const chunk of bytes.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}
