/**
 * Runs other processes: commands that run to their end, and servers that reply to requests, with one line of JSON
 * each.
 *
 * @module
 */

/** A process that replies to requests. */
export interface ServerProcess {
  /** Sends bytes that are not a request. */
  send(bytes: Uint8Array): Promise<void>;
  /** Sends a request and returns the reply. Rejects with the reason if the process has ended. */
  request<Reply>(message: unknown): Promise<Reply>;
  /** Ends the process. */
  close(): Promise<void>;
}

/** A command with its arguments. */
export type CommandLine = readonly [command: string, ...args: string[]];

/** The command that runs a script with this Deno. */
export function denoRun(script: URL, ...args: string[]): CommandLine {
  return [Deno.execPath(), "run", "-A", "--no-check", script.href, ...args];
}

/**
 * Runs a command to its end and returns its output.
 *
 * @throws {Error} with the reason if it fails
 */
export async function outputOf(commandLine: CommandLine): Promise<string> {
  const { child, failure } = start(commandLine);
  await child.stdin.close();
  const printed = await new Response(child.stdout).text();
  if (!(await child.status).success) throw await failure();
  return printed;
}

/**
 * Starts a process that replies to requests.
 *
 * @throws {Error} if the command does not exist
 */
export function startProcess(commandLine: CommandLine): ServerProcess {
  const { child, failure } = start(commandLine);
  const input = child.stdin.getWriter();
  const replies = lines(child.stdout);
  const send = async (bytes: Uint8Array) => {
    try {
      await input.write(bytes);
    } catch {
      // The process ended before it read everything; report its error.
      throw await failure();
    }
  };
  return {
    send,
    async request(message) {
      await send(new TextEncoder().encode(JSON.stringify(message) + "\n"));
      const { value, done } = await replies.next();
      if (done) throw await failure();
      return JSON.parse(value);
    },
    async close() {
      // The process may have ended already.
      await input.close().catch(() => {});
      await child.status;
    },
  };
}

function start([command, ...args]: CommandLine) {
  const piped = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command(command, { args, env: { NO_COLOR: "1" }, ...piped }).spawn();
  const errors = new Response(child.stderr).text();
  /** The last error that it printed, or else its last line or its exit code. */
  const failure = async () => {
    const said = (await errors).trim().split("\n");
    return new Error(
      said.findLast((line) => /^\w*error:/i.test(line)) || said.at(-1) ||
        `it ended with code ${(await child.status).code}`,
    );
  };
  return { child, failure };
}

/** The lines of a stream as they arrive. */
async function* lines(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const chunk of bytes.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}
