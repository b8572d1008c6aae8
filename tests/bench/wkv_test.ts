import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createReference } from "@seqmix/seqmix";
import { wkvParts, wkvTable } from "../../bench/report/wkv_part.ts";
import { checkOutput, makeInputs } from "../../bench/wkv/inputs.ts";
import { onCpu } from "../../bench/wkv/kernel.ts";
import { kernelsAt, leftOut, prepare } from "../../bench/wkv/measure.ts";
import { elementsOf, nameOf, shapes } from "../../bench/wkv/shapes.ts";

const shape = { batch: 2, length: 40, channels: 5 };

Deno.test("shapes go from 128 channels to 32,768, and to 2^26 elements", () => {
  const channels = shapes.map(({ batch, channels }) => batch * channels);
  assertEquals([Math.min(...channels), Math.max(...channels)], [128, 32_768]);
  assertEquals(Math.max(...shapes.map(elementsOf)), 2 ** 26);
  for (const name of ["1×65536×768", "8×2048×4096"]) assertEquals(shapes.map(nameOf).includes(name), true);
});

Deno.test("checkOutput() accepts only the output of its scan", async () => {
  using backend = createReference();
  const inputs = makeInputs(shape);
  const prepared = await prepare(onCpu(backend, 1), shape, inputs);
  const y = (await prepared.output())!;
  for (const wrong of [NaN, 2 * y[y.length - 1] + 1]) {
    assertThrows(
      () => checkOutput("scan", shape, inputs, y.with(-1, wrong)),
      Error,
      "Cannot measure scan at 2×40×5: its output must be within 1e-4 of the reference, current error is",
    );
  }
  assertEquals(await prepared.time(2) >= 0, true);
  prepared.free();
  assertEquals(backend.memory().bytes, 0);
});

Deno.test("prepare() refuses a kernel that computes something else", async () => {
  using backend = createReference();
  const right = onCpu(backend, 1);
  const wrong: typeof right = {
    ...right,
    prepare: (shape, inputs) => ({
      ...right.prepare(shape, inputs),
      output: () => Promise.resolve(new Float32Array(elementsOf(shape))),
    }),
  };
  await assertRejects(
    () => prepare(wrong, shape, makeInputs(shape)),
    Error,
    "Cannot measure reference serial",
  );
});

Deno.test("leftOut() lists what kernelsAt() does not run, with the reasons", () => {
  using backend = createReference();
  const slow = onCpu(backend, 1000);
  const run = shapes.filter((each) => kernelsAt(each, [slow], 200).length === 1).map(nameOf);
  assertEquals(run, ["1×256×128", "1×1024×128", "1×256×768"]);
  const [sentence, ...more] = leftOut([slow], 200);
  assertEquals(more, []);
  assertEquals(sentence.startsWith("reference serial is left out at 1×2048×128, 1×4096×128, "), true);
  assertEquals(sentence.endsWith(", 8×2048×4096: a run would take more than about 200 ms."), true);
});

Deno.test("wkvTable() compares the chunked scan with the serial one, and all with the copy", () => {
  const at = { backend: "webgpu", batch: 1, length: 1024, channels: 128 };
  const rows = [
    { ...at, kernel: "serial", medianMs: 10, gbPerS: 0.15, trafficGbPerS: 0.16 },
    { ...at, kernel: "chunked", medianMs: 2, gbPerS: 0.8, trafficGbPerS: 1.3 },
    { ...at, kernel: "copy", medianMs: 1, gbPerS: 2, trafficGbPerS: 2 },
    { ...at, kernel: "serial + gradient", medianMs: 30, gbPerS: 0.4, trafficGbPerS: 0.5 },
    { ...at, kernel: "chunked + gradient", medianMs: 10, gbPerS: 1.2, trafficGbPerS: 1.5 },
    { ...at, backend: "wasm", kernel: "serial", medianMs: 4, gbPerS: 0.4, trafficGbPerS: 0.4 },
  ];
  assertEquals(wkvTable(rows).rows.map((row) => [row[1], row[5], row[6]]), [
    ["webgpu serial", "8%", "-"],
    ["webgpu chunked", "65%", "5.00x"],
    ["webgpu copy", "100%", "-"],
    ["webgpu serial + gradient", "25%", "-"],
    ["webgpu chunked + gradient", "75%", "3.00x"],
    ["wasm serial", "-", "-"],
  ]);
  assertEquals(wkvParts({ wkv: rows, wkvNotes: ["a note"] })[0].notes, ["a note"]);
  assertEquals(wkvParts({ wkv: [], wkvNotes: ["a note"] }), []);
});
