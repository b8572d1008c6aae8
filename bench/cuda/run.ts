/**
 * Times a plain serial CUDA kernel of the WKV scan at the shapes of `wkv_bench.ts`, for comparison: `deno run -A
 * bench/cuda/run.ts` prints rows like those of the report's `wkv` section as JSON. Needs nvcc and an NVIDIA GPU.
 *
 * @module
 */
import { shapes } from "../wkv/shapes.ts";

async function run(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(program, { args: [...args], stderr: "inherit" })
    .output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`Cannot compare with CUDA: ${program} must succeed, current status is a failure`);
}

const source = new URL("./wkv.cu", import.meta.url).pathname;
const folder = await Deno.makeTempDir({ prefix: "seqmix-" });
try {
  const program = `${folder}/wkv`;
  const fitted = Deno.args.includes("--build-only") ? [] : ["-arch=native"];
  await run("nvcc", ["-O3", "-use_fast_math", ...fitted, "-o", program, source]);
  if (fitted.length > 0) {
    const sizes = shapes.flatMap(({ batch, length, channels }) => [batch, length, channels].map(String));
    const lines = (await run(program, sizes)).trim().split("\n");
    console.log(JSON.stringify(lines.map((line) => JSON.parse(line)), null, 2));
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
