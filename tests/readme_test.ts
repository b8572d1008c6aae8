/** What the README's code prints is what it says: comments after `console.log`, and those at the end of a block. */
import { assert, assertEquals } from "@std/assert";
import { blocksOf, printedBy, run } from "./printed.ts";

const blocks = blocksOf("README.md").map((code) => ({ code, printed: printedBy(code) }))
  .filter(({ printed }) => printed.length > 0);

Deno.test("the README says what some of its code prints", () => {
  assert(blocks.length >= 2);
});

for (const { code, printed } of blocks) {
  Deno.test(`the README's code prints ${printed.join(", ")}`, async () => {
    assertEquals(await run(["--no-check", "--ext=ts", "-"], code), printed);
  });
}
