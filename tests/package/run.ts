/**
 * Tests the npm tarball as users have it: a project (`project/`) installs it, checks its types under strict options,
 * and trains with workers in Node.js, after esbuild, after Vite's production build and in its dev server, and in a
 * page without a bundler. Needs npm, Node.js and Chromium. Exits with 1 at the first failure; the folder is kept for
 * inspection.
 *
 *     deno run -A tests/package/run.ts [folder]
 *
 * @module
 */
import { visit } from "../browser/chromium.ts";

const root = new URL("../../", import.meta.url);
const folder = Deno.args[0] ?? await Deno.makeTempDir();
const bin = `${folder}/node_modules`;

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd: folder }).output();
  const text = new TextDecoder();
  const said = text.decode(stdout) + text.decode(stderr);
  if (!success) throw new Error(`${command} ${args.join(" ")} must succeed, current output is\n${said}`);
  return said;
}

async function step(name: string, body: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await body();
  console.log(`${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

/** Asserts that the page at an address trains and reports success. */
async function train(url: string): Promise<void> {
  const said: string[] = [];
  const { result } = await visit(url, (page) => {
    page.on("console", (message) => said.push(message.text()));
    return Promise.resolve();
  });
  if (result !== "done") {
    throw new Error(`${url} must train, current result is ${result}\n${said.join("\n")}`);
  }
}

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
};

/** Calls `body` with the origin of a server of the files in a folder, which allows requests from any page. */
async function serving(files: string, body: (origin: string) => Promise<void>): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async ({ url }) => {
    const { pathname } = new URL(url);
    const bytes = await Deno.readFile(files + pathname).catch(() => null);
    const type = types[pathname.slice(pathname.lastIndexOf(".") + 1)] ?? "application/octet-stream";
    const headers = { "content-type": type, "access-control-allow-origin": "*" };
    return new Response(bytes, { status: bytes === null ? 404 : 200, headers });
  });
  try {
    await body(`http://localhost:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

await step("packed, under 260 KB, and installed", async () => {
  await run(Deno.execPath(), "run", "-A", new URL("tools/pack.ts", root).href, `${folder}/seqmix.tgz`);
  const { size } = await Deno.stat(`${folder}/seqmix.tgz`);
  if (size >= 260_000) throw new Error(`The tarball must be under 260,000 bytes, current size is ${size}`);
  for (const { name } of Deno.readDirSync(new URL("project/", import.meta.url))) {
    await Deno.copyFile(new URL(`project/${name}`, import.meta.url), `${folder}/${name}`);
  }
  await run("npm", "install", "--no-audit", "--no-fund", "--no-package-lock");
});

for (const version of ["typescript", "typescript-5.9"]) {
  for (const lib of ["es2022", "esnext,dom"]) {
    await step(
      `types: ${version}, ${lib}`,
      () => run("node", `${bin}/${version}/bin/tsc`, "-p", ".", "--lib", lib),
    );
  }
}
await step("types: a page's", () => run("node", `${bin}/typescript/bin/tsc`, "-p", "tsconfig.page.json"));

await step("Node.js", () => run("node", "smoke.js"));
await step("Node.js, with workers", () => run("node", "node.js"));

/** The worker's file is a separate entry point next to the program's, with the name that the library looks for. */
const esbuild = (platform: string, ...entries: string[]) =>
  run(
    `${bin}/.bin/esbuild`,
    ...entries,
    "seqmix_worker=@seqmix/seqmix/worker",
    ...["--bundle", "--format=esm", `--platform=${platform}`, `--outdir=esbuild-${platform}`],
  );

await step("Node.js, with workers, after esbuild", async () => {
  await esbuild("node", "node.js", "train_worker.js");
  await run("node", "esbuild-node/node.js");
});

await step("Chromium, after esbuild", async () => {
  await esbuild("browser", "page.js", "train_worker.js", "generate_worker.js");
  await Deno.copyFile(`${folder}/index.html`, `${folder}/esbuild-browser/index.html`);
  await serving(`${folder}/esbuild-browser`, (origin) => train(`${origin}/index.html`));
});

await step("Chromium, after Vite's build", async () => {
  await run(`${bin}/.bin/vite`, "build");
  await serving(`${folder}/dist`, (origin) => train(`${origin}/index.html`));
});

await step("Chromium, in Vite's dev server", async () => {
  // The server would end with its input.
  const server = new Deno.Command(`${bin}/.bin/vite`, {
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  try {
    await train(await addressIn(server.stdout));
  } finally {
    server.kill();
    await server.status;
  }
});

await step(
  "Chromium, without a bundler, the library from here and from elsewhere",
  () =>
    serving(folder, async (origin) => {
      await train(`${origin}/no_bundler.html#${origin}`);
      const { port } = new URL(origin);
      await train(`${origin}/no_bundler.html#http://127.0.0.1:${port}`);
    }),
);

/** The address of a page in a server's output. */
async function addressIn(output: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let said = "";
  for await (const part of output.pipeThrough(new TextDecoderStream())) {
    said += part;
    const [address] = /http:\S+(?=\n)/.exec(said) ?? [];
    if (address !== undefined) return address;
  }
  throw new Error(`The dev server must print its address, current output is ${said}`);
}
