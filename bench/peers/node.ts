/**
 * Runs the library in Node.js.
 *
 * @module
 */
import ts from "typescript";
import { outputOf, startProcess } from "../measure/process.ts";
import { type Peer, remotePeer } from "./peer.ts";
import { argument, script } from "./seqmix.ts";

/** The same program in Node.js, bundled into one JavaScript file. */
export const inNode: Peer = {
  name: "seqmix-wasm, Node",
  async open(subject) {
    const folder = await Deno.makeTempDir({ prefix: "seqmix-" });
    const file = `${folder}/seqmix_process.mjs`;
    await outputOf([Deno.execPath(), "bundle", "--platform=deno", `--output=${file}`, script.pathname]);
    // As in the package, since Node.js 20 does not support `using`.
    const target = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
    await Deno.writeTextFile(file, ts.transpile(await Deno.readTextFile(file), target));
    const peer = remotePeer(startProcess(["node", file, argument(subject)]));
    return {
      ...peer,
      async close() {
        await peer.close();
        await Deno.remove(folder, { recursive: true });
      },
    };
  },
};
