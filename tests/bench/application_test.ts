import { assert, assertEquals, assertThrows } from "@std/assert";
import { createReference } from "@seqmix/seqmix";
import { type Gap, GapMeter, summarizeGaps } from "../../bench/application/gap_meter.ts";
import type { GapRow } from "../../bench/application/gaps.ts";
import { sampleLoop } from "../../bench/application/loops.ts";
import { medianOf } from "../../bench/application/medians.ts";
import { parseOptions } from "../../bench/application/options.ts";
import { Peaks, restOverFirst, secondHalfOverFirst, tenthOf } from "../../bench/application/peaks.ts";
import type { Request } from "../../bench/application/request.ts";
import { gapsPart, loopPart } from "../../bench/application/tables.ts";
import { toText } from "../../bench/report/document.ts";

const gap = (ms: number, busyMs: number): Gap => ({ ms, busyMs });

Deno.test("summarizeGaps() returns the longest four, and counts those above 50 ms", () => {
  const gaps = [gap(1, 1), gap(60, 2), gap(50, 50), gap(3, 3), gap(70, 51), gap(2, 2)];
  assertEquals(summarizeGaps(gaps), {
    count: 6,
    longest: [gap(70, 51), gap(60, 2), gap(50, 50), gap(3, 3)],
    mostBusyMs: 51,
    above: 2,
    busyAbove: 1,
  });
  assertEquals(summarizeGaps([]), { count: 0, longest: [], mostBusyMs: 0, above: 0, busyAbove: 0 });
});

Deno.test("GapMeter measures the time without turns of the event loop, including the last gap", async () => {
  using meter = new GapMeter();
  await meter.start();
  for (const end = performance.now() + 15; performance.now() < end;);
  const { longest: [{ ms, busyMs }] } = meter.take();
  assert(ms >= 15 && busyMs > 0, `${ms} ms, ${busyMs} of them busy`);
  assertEquals(meter.take().count, 1);
});

Deno.test("Peaks returns the highest value of each tenth, and null for a tenth without values", () => {
  const peaks = new Peaks(20);
  for (const [step, value] of [[0, 5], [1, 8], [1, 3], [2, 4], [12, 9], [19, 6]]) peaks.note(step, value);
  assertEquals(peaks.tenths, [8, 4, null, null, null, null, 9, null, null, 6]);
  assertEquals(restOverFirst(peaks.tenths), 9 / 8);
  assertEquals(secondHalfOverFirst(peaks.tenths), 9 / 8);
  assertEquals(restOverFirst(new Peaks(3).tenths), null);
  assertEquals([0, 6, 7, 69].map((step) => tenthOf(step, 70)), [0, 0, 1, 9]);
});

Deno.test("sampleLoop() samples at least the last step, and a backend's peak in each tenth", async () => {
  using backend = createReference();
  let steps = 0;
  const { residentTenths, backendTenths } = await sampleLoop(
    () => new Promise((resolve) => setTimeout(() => resolve(void steps++), 6)),
    backend,
    10,
  );
  assertEquals(steps, 10);
  assertEquals(backendTenths, Array(10).fill(0));
  assert(residentTenths.every((bytes) => bytes !== null && bytes > 2 ** 20));
});

Deno.test("medianOf() returns the median of each number of the results", () => {
  const run = (a: number, b: number | null) => ({ name: "x", a, list: [a, { b }] });
  assertEquals(medianOf([run(1, 4), run(9, 5), run(2, 9)]), run(2, 5));
  assertEquals(medianOf([run(1, 4), run(2, null)]), run(1.5, null));
  assertEquals(medianOf([[1, 2, 3], [3, 4]]), [2, 3]);
});

Deno.test("parseOptions() of the application bench has a default for every flag, and refuses unknown ones", () => {
  assertEquals(parseOptions([]), {
    help: false,
    only: ["gaps", "aborts", "tokens", "training", "steps"],
    backends: null,
    presets: null,
    models: ["rwkv", "lstm", "transformer"],
    times: 1,
    count: null,
  });
  const { only, backends, models, times, count } = parseOptions(
    "--only gaps,steps --backend webgpu --models lstm --times 3 --count 10".split(" "),
  );
  assertEquals({ only, backends, models, times, count }, {
    only: ["gaps", "steps"],
    backends: ["webgpu"],
    models: ["lstm"],
    times: 3,
    count: 10,
  });
  for (const args of ["--only frames", "--times 0", "--count 1.5", "--backend cpu", "--what", "-- gaps"]) {
    assertThrows(() => parseOptions(args.split(" ")), RangeError, "Cannot read command line");
  }
});

const request: Request = { claim: "gaps", backend: "wasm", preset: "article", model: "lstm", count: null };

Deno.test("gapsPart() and loopPart() print the measurements", () => {
  const row: GapRow = {
    doing: "generate",
    tokensPerS: 1234.5,
    unit: "token",
    unitMs: 0.5,
    ...summarizeGaps([gap(61, 20), gap(1, 1)]),
  };
  const gaps = toText([gapsPart([[request, [row]]])]);
  assert(
    /wasm\s+article\s+LSTM\s+generate\s+1235\s+61 1\s+20 1\s+20\s+1 of 2\s+0\s+token 0\.500/.test(gaps),
    gaps,
  );
  const tenths = Array.from({ length: 10 }, (_, i) => (i + 1) * 2 ** 20);
  const loop = toText([
    loopPart("Memory", "tokens", [[request, {
      steps: 2000,
      stepsPerS: 10,
      residentTenths: tenths,
      backendTenths: tenths,
      processPeak: 2 ** 24,
    }]]),
  ]);
  assert(/process\s+2,000\s+10\s+1 2 3 4 5 6 7 8 9 10\s+16\s+2\.00\s+10\.00/.test(loop), loop);
});
