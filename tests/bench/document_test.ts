import { assertEquals } from "@std/assert";
import { toMarkdown, toText } from "../../bench/report/document.ts";
import { digits, duration, megabytes, times } from "../../bench/report/format.ts";

const part = {
  title: "Speed",
  intro: ["How fast."],
  table: { columns: ["model", "ms"], rows: [["RWKV", "1.25"], ["Transformer, full", "-"]] },
  notes: ["A dash: not measured."],
  figure: "speed.svg",
};

Deno.test("toText() aligns columns, text to the left and numbers to the right", () => {
  assertEquals(
    toText([part]),
    `Speed

How fast.

  model                 ms
  ─────────────────   ────
  RWKV                1.25
  Transformer, full      -

A dash: not measured.
`,
  );
});

Deno.test("toText() breaks paragraphs at spaces", () => {
  const text = toText([{ title: "Words", notes: [Array(60).fill("word").join(" ")] }]);
  assertEquals(Math.max(...text.split("\n").map((line) => line.length)) <= 100, true);
  assertEquals(text.match(/word/g)?.length, 60);
});

Deno.test("toMarkdown() writes headings, tables and figures", () => {
  assertEquals(
    toMarkdown("Report", [part, { title: "End" }]),
    `# Report

## Speed

How fast.

| model             |   ms |
| ----------------- | ---: |
| RWKV              | 1.25 |
| Transformer, full |    - |

![Speed](speed.svg)

A dash: not measured.

## End
`,
  );
});

Deno.test("digits() keeps three significant digits", () => {
  assertEquals([0, 0.00307, 0.0183, 0.812, 1.434, 15.92, 324.4, 13_500].map(digits), [
    "0",
    "0.00307",
    "0.0183",
    "0.812",
    "1.43",
    "15.9",
    "324",
    "13500",
  ]);
});

Deno.test("megabytes() formats millions of bytes, and missing numbers as a dash", () => {
  assertEquals([megabytes(3_542_532), megabytes(null)], ["3.54", "-"]);
});

Deno.test("times() formats a ratio", () => {
  assertEquals([0.958, 3.178, 24.74, 254.3].map(times), ["0.96x", "3.18x", "24.7x", "254x"]);
});

Deno.test("duration() formats minutes and seconds", () => {
  assertEquals([0.4, 59.4, 59.6, 200].map(duration), ["0 s", "59 s", "1 min 0 s", "3 min 20 s"]);
});
