/**
 * Writes the files that are made of others: the kernels' builds, and the bundle, which contains neither of them and so can
 * be made beside them. `--check` writes nothing and fails if a file is not what its sources give.
 *
 *     deno run -A tools/build.ts [--check]
 *
 * @module
 */
import { bundle } from "./bundle.ts";
import type { Generated } from "./generated.ts";
import { kernels } from "./kernels.ts";

const root = new URL("..", import.meta.url);
const isCheck = Deno.args.includes("--check");
const files: readonly Generated[] = [...await kernels(root), ...await bundle(root)];

// The names of what is shared change with it, so that there may be old ones.
const expected = new Set(files.map(({ path }) => path));
for (const { name } of Deno.readDirSync(new URL("bundle/", root))) {
  if (expected.has(`bundle/${name}`)) continue;
  if (isCheck) fail(`bundle/${name}`);
  Deno.removeSync(new URL(`bundle/${name}`, root));
}

for (const { path, text } of files) {
  const file = new URL(path, root);
  if (!isCheck) {
    await Deno.writeTextFile(file, text);
    console.error(`${path}: ${text.length} characters`);
  } else if (text !== await Deno.readTextFile(file).catch(() => undefined)) {
    fail(path);
  }
}

function fail(path: string): never {
  console.error(`${path} is not what its sources give: run deno task build`);
  Deno.exit(1);
}
