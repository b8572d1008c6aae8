/** Code in Markdown files, and what it says that it prints. */
import { assert } from "@std/assert";

/** The root of the repository. */
export const root: URL = new URL("..", import.meta.url);

/** The blocks of TypeScript of a Markdown file. */
export function blocksOf(path: string): string[] {
  return Array.from(
    Deno.readTextFileSync(new URL(path, root)).matchAll(/```ts\n(.*?)```/gs),
    ([, code]) => code,
  );
}

/** The lines that a block says it prints: comments after `console.log`, and those at its end. */
export function printedBy(code: string): string[] {
  const beside = Array.from(code.matchAll(/^ *console\.log\(.*\); \/\/ (.*)$/gm), ([, text]) => text);
  const after = /(?:^\/\/ .*\n)+$/m.exec(code)?.[0] ?? "";
  return [...beside, ...Array.from(after.matchAll(/^\/\/ (.*)$/gm), ([, text]) => text)];
}

/** The lines that a program prints, with the repository's imports and in its root. The last argument, "-", is `code`. */
export async function run(args: readonly string[], code = ""): Promise<string[]> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--config=deno.json", "--allow-read", ...args],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const { success, stdout, stderr } = await process.output(), text = new TextDecoder();
  assert(success, text.decode(stderr));
  return text.decode(stdout).trim().split("\n");
}
