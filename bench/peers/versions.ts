/**
 * The versions of the compared implementations.
 *
 * @module
 */
import config from "../../deno.json" with { type: "json" };
import { type CommandLine, outputOf } from "../measure/process.ts";
import { python } from "./pytorch.ts";

/** The version of each; null if it is not installed. */
type Versions = Readonly<Record<string, string | null>>;

export async function findVersions(): Promise<Versions> {
  const said = (commandLine: CommandLine) => outputOf(commandLine).then((text) => text.trim(), () => null);
  const ofPackage = (name: keyof typeof config.imports) => config.imports[name].split("@^").at(-1)!;
  return {
    Deno: Deno.version.deno,
    "Node.js": await said(["node", "--version"]),
    "ONNX Runtime": ofPackage("onnxruntime-node"),
    "jax-js": ofPackage("@jax-js/jax"),
    PyTorch: await said([python(), "-c", "import torch; print(torch.__version__)"]),
  };
}
