/**
 * Packs the library for npm: each source as JavaScript and declarations, as emitted by TypeScript. Names and
 * comments are kept; documentation is only in the declarations. Only files that an entry point imports, directly or
 * indirectly, are packed: modules by their imports, declarations by theirs, reduced to what users can reach.
 *
 *     deno run -A tools/pack.ts seqmix.tgz
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import ts from "typescript";
import { publicTypes } from "./public_types.ts";
import config from "../deno.json" with { type: "json" };

const root = fileURLToPath(new URL("..", import.meta.url));
const [output = "seqmix.tgz"] = Deno.args;
const entries = Object.values(config.exports).map((path) => path.slice(2));
/** The replacement of the module with dynamic imports, for bundlers that target browsers. */
const [split, atOnce] = ["src/backends/load.ts", "src/backends/load_at_once.ts"];

/** The text of every emitted file, by its path from the root. */
function emit(): Map<string, string> {
  const program = ts.createProgram([...entries, atOnce].map((path) => root + path), {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ["lib.esnext.d.ts", "lib.dom.d.ts"],
    types: [],
    rootDir: root,
    declaration: true,
    allowImportingTsExtensions: true,
    verbatimModuleSyntax: true,
    // Deno has checked the types.
    noCheck: true,
  });
  const texts = new Map<string, string>();
  const { diagnostics, emitSkipped } = program.emit(undefined, (path, text) => {
    const named = namedAsJavaScript(text);
    texts.set(path.slice(root.length), path.endsWith(".d.ts") ? named : named.replace(documentation, ""));
  });
  if (emitSkipped || diagnostics.length > 0) {
    throw new Error(ts.formatDiagnostics(diagnostics, {
      getCanonicalFileName: (name) => name,
      getCurrentDirectory: () => root,
      getNewLine: () => "\n",
    }));
  }
  return texts;
}

/**
 * The relative specifiers of modules and declarations: `from "./x.ts"`, `import "./x.ts"`, `import("./x.ts")`,
 * `new URL("./x.js", …)`.
 */
const specifiers = /(?<=\b(?:from |import |import\(|new URL\())"(\.[^"]+)"/g;
/** Editors read documentation from the declarations; in the modules it would be a tenth of the tarball. */
const documentation = /^ *\/\*\*[^]*?\*\/\n/gm;
/** A line outside comments, whose examples name files that do not exist. */
const line = /^(?! *(?:\/\/|\/?\*)).+$/gm;

function namedAsJavaScript(text: string): string {
  return text.replace(line, (code) => code.replace(specifiers, (name) => name.replace(/\.ts"$/, '.js"')));
}

function specifiersOf(text: string): string[] {
  const code = text.match(line)?.join("\n") ?? "";
  return Array.from(code.matchAll(specifiers), ([, specifier]) => specifier);
}

/** The given files and all that they import. */
function reachable(from: readonly string[], textOf: (path: string) => string): Map<string, string> {
  const found = new Map(from.map((path) => [path, textOf(path)]));
  // Iterating over a map includes the entries that are added meanwhile.
  for (const [path, text] of found) {
    for (const specifier of specifiersOf(text)) {
      const { pathname } = new URL(specifier, `file:///${path}`);
      if (!found.has(pathname.slice(1))) found.set(pathname.slice(1), textOf(pathname.slice(1)));
    }
  }
  return found;
}

/** `[Symbol.dispose]` is in no library of a fixed year, so declarations that use it need a reference. */
function withDisposal(text: string): string {
  return text.includes("[Symbol.dispose]") ? `/// <reference lib="esnext.disposable" />\n${text}` : text;
}

const javaScript = (path: string) => path.replace(/\.ts$/, ".js");
const declarations = (path: string) => path.replace(/\.[jt]s$/, ".d.ts");

const emitted = emit();
const modules = reachable(
  [...entries, atOnce].map(javaScript),
  // Sources in JavaScript are copied.
  (path) => emitted.get(path) ?? namedAsJavaScript(Deno.readTextFileSync(root + path)),
);
const typed = publicTypes(
  new Map([...emitted].filter(([path]) => path.endsWith(".d.ts"))),
  entries.map(declarations),
);
const types = reachable(entries.map(javaScript), (path) => typed.get(declarations(path))!);

const manifest = {
  name: config.name,
  version: config.version,
  description: "RWKV, attention and LSTM as pure functions, on TypeScript, WebAssembly SIMD and WebGPU",
  license: config.license,
  type: "module",
  engines: { node: ">=20.16" },
  // Workers are run for their side effects.
  sideEffects: ["./src/train/seqmix_worker.js", javaScript(config.exports["./worker"])],
  browser: { [`./${javaScript(split)}`]: `./${javaScript(atOnce)}` },
  exports: Object.fromEntries(
    Object.entries(config.exports).map(([name, path]) => [name, {
      types: declarations(path),
      default: javaScript(path),
    }]),
  ),
};

const files = new Map([
  ["package.json", `${JSON.stringify(manifest, null, 2)}\n`],
  ...["README.md", "LICENSE"].map((path) => [path, Deno.readTextFileSync(root + path)] as const),
  ...modules,
  ...Array.from(types, ([path, text]) => [declarations(path), withDisposal(text)] as const),
]);

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The modification time of every file, the same as npm's, so that equal files give an equal tarball. */
const packed = new Date("1985-10-26T08:15:00Z");

const folder = await Deno.makeTempDir();
try {
  for (const [path, text] of files) {
    const file = `${folder}/package/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(file, text);
    await Deno.utime(file, packed, packed);
  }
  // Declarations first and then modules, each by folder, since similar files compress better together.
  const isModule = (path: string) => Number(!path.endsWith(".d.ts"));
  const folderOf = (path: string) => path.slice(0, path.lastIndexOf("/") + 1);
  const paths = [...files.keys()].map((path) => `package/${path}`).sort((a, b) =>
    isModule(a) - isModule(b) || compare(folderOf(a), folderOf(b)) || compare(a, b)
  );
  const { success, stdout } = await new Deno.Command("tar", {
    args: ["-cf", "-", "-C", folder, ...paths],
    stderr: "inherit",
  }).output();
  if (!success) Deno.exit(1);
  await Deno.writeFile(output, gzipSync(stdout, { level: 9 }));
} finally {
  await Deno.remove(folder, { recursive: true });
}
const { size } = await Deno.stat(output);
console.error(`${output}: ${files.size} files, ${(size / 1000).toFixed(0)} KB`);
