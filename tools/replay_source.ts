/**
 * Generates the function that replays recorded kernel calls in one call into WebAssembly, from the kernels'
 * signatures.
 *
 * @module
 */

/** A kernel that the module exports. */
interface Kernel {
  readonly name: string;
  /** The file that defines it, as named in the module. */
  readonly from: string;
  /** The kinds of its arguments, one letter each: address, integer or float. */
  readonly kinds: string;
}

const kindOf: Readonly<Record<string, string>> = { usize: "a", i32: "i", f64: "f" };

/** The kernels that a module exports, in order, with the kinds of their arguments from their sources. */
export function kernelsOf(
  text: string,
  entry: string,
  readSource: (path: string) => string | null,
): Kernel[] {
  return [...text.matchAll(/export \{([^}]*)\} from "([^"]*ops[^"]*)"/g)].flatMap(([, names, from]) => {
    const path = new URL(`${from}.ts`, `file:///${entry}`).pathname.slice(1);
    const source = readSource(path) ?? "";
    return names.split(",").map((name) => name.trim()).filter((name) => name !== "").map((name) => {
      const params = new RegExp(`export function ${name}\\(([^)]*)\\): void`).exec(source)?.[1];
      if (params === undefined) throw new Error(`Cannot build: ${path} must export function ${name}`);
      const types = [...params.matchAll(/\w+: (\w+)/g)].map(([, type]) => type);
      const other = types.find((type) => !(type in kindOf));
      if (other !== undefined) {
        throw new Error(`Cannot build: kernels take usize, i32, f64; ${name} takes ${other}`);
      }
      return { name, from, kinds: types.map((type) => kindOf[type]).join("") };
    });
  });
}

/** The text of the module that replays them. */
export function replaySource(entry: string, kernels: readonly Kernel[]): string {
  const imports = kernels.map(({ name, from }) => `import { ${name} } from "${from}";`);
  const cases = kernels.map(({ name, kinds }, number) => {
    let at = 4;
    const args = [...kinds].map((kind) => {
      const place = `at + ${at}`;
      at += kind === "f" ? 8 : 4;
      if (kind === "a") return `<usize> load<u32>(slots + load<u32>(${place}))`;
      return kind === "i" ? `load<i32>(${place})` : `load<f64>(${place})`;
    });
    return `      case ${number}: ${name}(${args.join(", ")}); at += ${at}; break;`;
  });
  return `// Written by tools/build.ts from the kernels of ${entry}.
${imports.join("\n")}

export function replay(at: usize, end: usize, slots: usize): void {
  while (at < end) {
    switch (load<i32>(at)) {
${cases.join("\n")}
      default: unreachable();
    }
  }
}
`;
}
