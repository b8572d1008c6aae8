/**
 * Runs the shared tests in headless Chromium: the library in a real browser, and its shaders in Tint, which rejects
 * some that Deno's compiler accepts. Prints the failures, and exits with 1 if there are any. An optional argument
 * selects the tests whose names contain it.
 */
import { bundle, runInPage } from "./chromium.ts";

const [filter = ""] = Deno.args;
const here = new URL("./", import.meta.url), tests = new URL("../", here);

/** The tests that only need what a page has. */
function testFiles(): URL[] {
  const files = [
    "law_test.ts",
    "backends/scope_test.ts",
    "backends/create_test.ts",
    "backends/webgpu/device_test.ts",
    "train/adam_w_test.ts",
    "train/clip_test.ts",
  ];
  for (const folder of ["ops/", "layers/", "models/", "autodiff/"]) {
    for (const { name } of Deno.readDirSync(new URL(folder, tests))) {
      if (name.endsWith("_test.ts")) files.push(folder + name);
    }
  }
  return files.map((file) => new URL(file, tests));
}

const page = JSON.stringify(new URL("page.ts", here).href);
const imports = testFiles().map(({ href }) => `import ${JSON.stringify(href)};`).join("\n");
const script = await bundle(
  `import { runTests } from ${page};\n${imports}\nawait runTests(${JSON.stringify(filter)});\n`,
);

let passed = 0, failed = 0;
const fail = (what: string) => {
  failed++;
  console.error(what);
};
const version = await runInPage(script, async (page) => {
  await page.exposeFunction("report", (failures: readonly string[]) => {
    if (failures.length === 0) passed++;
    else fail(failures.join("\n"));
  });
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) fail(`console: ${message.text()}`);
  });
});
console.log(`${passed} passed, ${failed} failed in Chromium ${version}`);
// A text that no name contains is a mistake.
if (failed > 0 || passed === 0) Deno.exit(1);
