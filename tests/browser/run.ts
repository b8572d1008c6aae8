/**
 * Runs the shared tests in headless Chromium: the library in a real browser, and its shaders through Tint, which rejects
 * some that Deno's compiler takes. Prints what failed, and exits with 1 if anything did. An argument is a part of the
 * names of the tests to run; default: all.
 */
import { chromium } from "playwright-core";

const [filter = ""] = Deno.args;
const here = new URL("./", import.meta.url), tests = new URL("../", here);

/** The tests that need no more of Deno than a page has. */
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

/** One script that registers all tests and runs them. */
async function bundle(): Promise<string> {
  const work = await Deno.makeTempDir();
  try {
    const page = JSON.stringify(new URL("page.ts", here).href);
    const imports = testFiles().map(({ href }) => `import ${JSON.stringify(href)};`).join("\n");
    const entry = `import { runTests } from ${page};\n${imports}\nawait runTests(${
      JSON.stringify(filter)
    });\n`;
    await Deno.writeTextFile(`${work}/entry.ts`, entry);
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        "--platform=browser",
        "--config=deno.json",
        `--output=${work}/tests.js`,
        `${work}/entry.ts`,
      ],
      cwd: new URL("../", tests),
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return await Deno.readTextFile(`${work}/tests.js`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

const script = await bundle();
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
  const isScript = new URL(request.url).pathname === "/tests.js";
  return new Response(
    isScript
      ? script
      : '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/tests.js"></script>',
    { headers: { "content-type": isScript ? "text/javascript" : "text/html; charset=utf-8" } },
  );
});
const browser = await chromium.launch({
  executablePath: Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
  ],
});

let passed = 0, failed = 0;
const fail = (what: string) => {
  failed++;
  console.error(what);
};
try {
  const page = await browser.newPage();
  const ended = Promise.withResolvers<void>();
  await page.exposeFunction("report", (failures: readonly string[]) => {
    if (failures.length === 0) passed++;
    else fail(failures.join("\n"));
  });
  await page.exposeFunction("end", ended.resolve);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) fail(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => ended.reject(error));
  page.on("crash", () => ended.reject(new Error("the page crashed")));
  await page.goto(`http://localhost:${server.addr.port}/`);
  await ended.promise;
} finally {
  await browser.close();
  await server.shutdown();
}
console.log(`${passed} passed, ${failed} failed in Chromium ${browser.version()}`);
// A name that no test has is a mistake.
if (failed > 0 || passed === 0) Deno.exit(1);
