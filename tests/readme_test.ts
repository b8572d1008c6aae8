/** What the README's code prints is what it says: comments after `console.log`, and those at the end of a block. */
import { assert, assertEquals } from "@std/assert";

const root = new URL("..", import.meta.url);
const blocks = Array.from(
  Deno.readTextFileSync(new URL("README.md", root)).matchAll(/```ts\n(.*?)```/gs),
  ([, code]) => ({ code, printed: printedBy(code) }),
).filter(({ printed }) => printed.length > 0);

/** The lines that a block says it prints. */
function printedBy(code: string): string[] {
  const beside = Array.from(code.matchAll(/^ *console\.log\(.*\); \/\/ (.*)$/gm), ([, text]) => text);
  const after = /(?:^\/\/ .*\n)+$/m.exec(code)?.[0] ?? "";
  return [...beside, ...Array.from(after.matchAll(/^\/\/ (.*)$/gm), ([, text]) => text)];
}

Deno.test("the README says what some of its code prints", () => {
  assert(blocks.length >= 2);
});

for (const { code, printed } of blocks) {
  Deno.test(`the README's code prints ${printed.join(", ")}`, async () => {
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--allow-read", "--ext=ts", "-"],
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
    assertEquals(text.decode(stdout).trim().split("\n"), printed);
  });
}
