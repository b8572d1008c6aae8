/**
 * Runs a script in a page of headless Chromium.
 *
 * @module
 */
import { type Browser, chromium, type Page } from "playwright-core";

/** Bundles a script with all its imports into one file. */
export async function bundle(source: string): Promise<string> {
  const work = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${work}/entry.ts`, source);
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        "--platform=browser",
        "--config=deno.json",
        `--output=${work}/bundle.js`,
        `${work}/entry.ts`,
      ],
      cwd: new URL("../../", import.meta.url),
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return await Deno.readTextFile(`${work}/bundle.js`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/**
 * Runs a script in a page until it calls `end`.
 *
 * @param prepare called before the page loads, to provide further functions
 * @returns the browser's version
 */
export async function runInPage(script: string, prepare: (page: Page) => Promise<void>): Promise<string> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const isScript = new URL(request.url).pathname === "/script.js";
    return new Response(
      isScript
        ? script
        : '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/script.js"></script>',
      { headers: { "content-type": isScript ? "text/javascript" : "text/html; charset=utf-8" } },
    );
  });
  try {
    const { version } = await visit(`http://localhost:${server.addr.port}/`, prepare);
    return version;
  } finally {
    await server.shutdown();
  }
}

/** Visits a page until it calls `end`; returns the browser's version and the argument of `end`. */
export async function visit(
  url: string,
  prepare: (page: Page) => Promise<void> = () => Promise.resolve(),
): Promise<{ version: string; result: unknown }> {
  let browser: Browser | undefined;
  try {
    browser = await chromium.launch({
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
    const page = await browser.newPage();
    const ended = Promise.withResolvers<unknown>();
    await page.exposeFunction("end", ended.resolve);
    await prepare(page);
    page.on("pageerror", (error) => ended.reject(error));
    page.on("crash", () => ended.reject(new Error("the page crashed")));
    await page.goto(url);
    return { result: await ended.promise, version: browser.version() };
  } finally {
    await browser?.close();
  }
}
