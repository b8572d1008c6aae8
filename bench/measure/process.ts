/**
 * Other processes: one that runs to its end, and one that answers requests, a line of JSON to it, a line of JSON back.
 *
 * @module
 */

/** A process that answers. */
export interface Answering {
  /** Gives it bytes that are no request. */
  send(bytes: Uint8Array): Promise<void>;
  /** The answer to a request. Rejects with the reason where the process has ended. */
  ask<Answer>(request: unknown): Promise<Answer>;
  /** Ends the process. */
  close(): Promise<void>;
}

/** A command with its arguments. */
export type CommandLine = readonly [command: string, ...args: string[]];

/** This Deno, running a script. */
export function denoRun(script: URL, ...args: string[]): CommandLine {
  return [Deno.execPath(), "run", "-A", "--no-check", script.href, ...args];
}

/**
 * What a process prints until it ends.
 *
 * @throws {Error} with the reason, where it fails
 */
export async function outputOf(commandLine: CommandLine): Promise<string> {
  const { child, failure } = start(commandLine);
  await child.stdin.close();
  const printed = await new Response(child.stdout).text();
  if (!(await child.status).success) throw await failure();
  return printed;
}

/**
 * Starts a process that answers.
 *
 * @throws {Error} where there is no such command
 */
export function startProcess(commandLine: CommandLine): Answering {
  const { child, failure } = start(commandLine);
  const requests = child.stdin.getWriter();
  const answers = lines(child.stdout);
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

function start([command, ...args]: CommandLine) {
  const piped = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command(command, { args, env: { NO_COLOR: "1" }, ...piped }).spawn();
  const errors = new Response(child.stderr).text();
  /** The last error that it has printed, or at least its last line or its code. */
  const failure = async () => {
    const said = (await errors).trim().split("\n");
    return new Error(
      said.findLast((line) => /^\w*error:/i.test(line)) || said.at(-1) ||
        `it ended with code ${(await child.status).code}`,
    );
  };
  return { child, failure };
}

/** The lines of a text as they come. */
async function* lines(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const chunk of bytes.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}
