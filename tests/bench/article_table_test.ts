import { assertEquals } from "@std/assert";
import { ways } from "../../bench/measure/subjects.ts";
import { articleTable, verdict } from "../../bench/report/article_table.ts";

/**
 * Made-up results: from 32 to 256, a recurrent model stays at 1, a cache grows by a half, the whole context
 * eightfold.
 */
const values = { recurrent: [1, 1], cached: [2, 3], full: [10, 80] } as const;
const rows = [32, 256].flatMap((length, i) =>
  ways.map((way) => ({
    ...way,
    preset: "article" as const,
    backend: "wasm",
    length,
    value: values[way.mode][i],
  }))
);

Deno.test("articleTable() has a row for each context, and the article's numbers with its digits", () => {
  assertEquals(articleTable(rows, "memory", ({ value }) => `${value}`), {
    columns: [
      ...["backend", "context", "RWKV", "LSTM", "Transformer, cached", "full"],
      ...["article: RWKV", "LSTM", "Transformer"],
    ],
    rows: [
      ["wasm", "32", "1", "1", "2", "10", "12.4", "13.1", "14.2"],
      ["wasm", "256", "1", "1", "3", "80", "12.8", "13.7", "67.5"],
    ],
  });
  const [row] =
    articleTable(rows.slice(1, 3).map((row) => ({ ...row, length: 5 })), "latency", () => "x").rows;
  assertEquals(row, ["wasm", "5", "-", "x", "x", "-", "-", "-", "-"]);
});

Deno.test("verdict() states the ratio at the longest context, and the growth", () => {
  assertEquals(
    verdict(rows, "latency", ({ value }) => value),
    "On wasm at 256 tokens the Transformer takes 3.00x RWKV's time with a cache and 80.0x without one (article: " +
      "3.18x); from 32 to 256 tokens RWKV's time grows 1.00x, the LSTM's 1.00x, the Transformer's 1.50x and 8.00x " +
      "(article: 1.07x, 1.14x, 3.76x).",
  );
});
