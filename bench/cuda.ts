/**
 * Times a plain serial CUDA kernel of the WKV scan at the shapes of the report, for comparison:
 * `deno run -A bench/cuda.ts` prints rows like those of the report's `wkv` section as JSON. Needs nvcc and an
 * NVIDIA GPU.
 *
 * @module
 */
import { outputOf } from "./measure/process.ts";
import { shapes } from "./wkv/shapes.ts";

const source = new URL("./wkv/wkv.cu", import.meta.url).pathname;
const folder = await Deno.makeTempDir({ prefix: "seqmix-" });
try {
  const program = `${folder}/wkv`;
  const fitted = Deno.args.includes("--build-only") ? [] : ["-arch=native"];
  await outputOf(["nvcc", "-O3", "-use_fast_math", ...fitted, "-o", program, source]);
  if (fitted.length > 0) {
    const sizes = shapes.flatMap(({ batch, length, channels }) => [batch, length, channels].map(String));
    const lines = (await outputOf([program, ...sizes])).trim().split("\n");
    console.log(JSON.stringify(lines.map((line) => JSON.parse(line)), null, 2));
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
