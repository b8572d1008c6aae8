/** The guide docs/own_model.md, whose code is two files. */
import { assert, assertEquals } from "@std/assert";
import { blocksOf, printedBy, run } from "./printed.ts";

const [hybrid, ...rest] = blocksOf("docs/own_model.md");

Deno.test("the model of docs/own_model.md has at most 40 lines of its own", () => {
  const own = hybrid.replaceAll(/^import .*?;\n/gms, "").split("\n").filter((line) => line.trim() !== "");
  assert(own.length > 20 && own.length <= 40, `${own.length} lines`);
});

Deno.test("the code of docs/own_model.md has correct types, runs, and prints what it says", async () => {
  const printed = rest.flatMap(printedBy);
  assert(printed.length > 5);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/hybrid.ts`, hybrid);
    await Deno.writeTextFile(`${folder}/main.ts`, rest.join("\n"));
    const lines = (await run(["--check", `${folder}/main.ts`])).values();
    // Of the lines between these, the guide does not say what they are.
    assertEquals(printed.filter((line) => !lines.some((other) => other === line)), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
