/**
 * A Python process that holds a model and answers requests: a line of JSON to it, a line of JSON back.
 *
 * @module
 */
import { type Case, leavesOf } from "./weights.ts";

const python = "/usr/bin/python3";

/** A process that has its weights. */
export interface PythonProcess {
  /** The answer to a request. Rejects with the last line of the process's errors where it ended instead. */
  ask<Answer>(request: unknown): Promise<Answer>;
  /** Ends the process. */
  close(): Promise<void>;
}

/**
 * Starts a script beside this file and gives it a model: a line of JSON, then the weights as little-endian float32.
 *
 * @param options what the line says besides which model it is and what its weights are called
 * @throws {Error} (as a rejection) with the reason where there is no Python, or the process ends early
 */
export async function startPython(script: string, subject: Case, options: object): Promise<PythonProcess> {
  const path = new URL(script, import.meta.url).pathname;
  const child = new Deno.Command(python, { args: [path], stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const errors = new Response(child.stderr).text();
  const requests = child.stdin.getWriter();
  const answers = lines(child.stdout);
  const failure = async () => new Error((await errors).trim().split("\n").at(-1));
  const send = async (bytes: Uint8Array) => {
    try {
      await requests.write(bytes);
    } catch {
      // A process that ended before it read everything says why.
      throw await failure();
    }
  };
  const leaves = leavesOf(subject.weights);
  const header = { ...describe(subject), weights: leaves.map(([name, { shape }]) => [name, shape]) };
  await send(encode({ ...header, ...options }));
  for (const [, { data }] of leaves) await send(new Uint8Array(data.buffer));
  return {
    async ask(request) {
      await send(encode(request));
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

function describe(subject: Case) {
  const { model, length } = subject;
  if (model !== "transformer") return { model, length };
  const { heads, rotaryBase } = subject.weights.blocks[0].attention;
  return { model, length, heads, rotaryBase };
}

const encode = (request: unknown) => new TextEncoder().encode(JSON.stringify(request) + "\n");

async function* lines(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const chunk of bytes.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}
