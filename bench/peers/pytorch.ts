/**
 * The models in PyTorch, in a Python process of its own that does its own timing.
 *
 * @module
 */
import type { Peer } from "./peer.ts";
import { type Case, leavesOf } from "./weights.ts";

const python = "/usr/bin/python3";
const script = new URL("./pytorch_peer.py", import.meta.url);

/** PyTorch, eager, of the system's Python. */
export const pyTorch: Peer = {
  name: "pytorch",
  async open(subject) {
    const child = new Deno.Command(python, {
      args: [script.pathname],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    })
      .spawn();
    const errors = new Response(child.stderr).text();
    const requests = child.stdin.getWriter();
    const answers = lines(child.stdout);
    const send = async (bytes: Uint8Array) => await requests.write(bytes);
    const ask = async (request: unknown) => {
      await send(encode(request));
      const { value, done } = await answers.next();
      if (done) throw new Error((await errors).trim().split("\n").at(-1));
      return JSON.parse(value);
    };
    try {
      const leaves = leavesOf(subject.weights);
      await send(encode({ ...describe(subject), weights: leaves.map(([name, { shape }]) => [name, shape]) }));
      for (const [, { data }] of leaves) await send(new Uint8Array(data.buffer));
    } catch {
      // A process that ended before it read its weights says why.
      throw new Error((await errors).trim().split("\n").at(-1));
    }
    return {
      async decode(tokens) {
        const rows: number[][] = await ask({ decode: tokens });
        return rows.map((row) => Float32Array.from(row));
      },
      time: (count) => ask({ time: count }),
      async close() {
        await requests.close();
        await child.status;
      },
    };
  },
};

function describe(subject: Case) {
  const { model, length } = subject;
  return model === "transformer"
    ? { model, length, ...headsOf(subject.weights.blocks[0].attention) }
    : { model, length };
}

function headsOf({ heads, rotaryBase }: { readonly heads: number; readonly rotaryBase?: number }) {
  return { heads, rotaryBase };
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
