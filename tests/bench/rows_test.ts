import { assertEquals } from "@std/assert";
import { toRows } from "../../bench/report/rows.ts";

Deno.test("toRows() prints a row per line, measurements with four digits, and counts exactly", () => {
  const result = {
    machine: { cpu: "a processor", memoryBytes: 25_276_026_880 },
    latency: [{ model: "rwkv", medianMs: 0.05579799999941315 }, { model: "lstm", medianMs: 1 / 3 }],
    training: [{ curve: [{ epoch: 1, loss: 123.456 }] }],
    wkv: [],
    wkvNotes: ["a note"],
    startup: undefined,
  };
  assertEquals(
    toRows(result),
    `{
  "machine": {"cpu":"a processor","memoryBytes":25276026880},
  "latency": [
    {"model":"rwkv","medianMs":0.0558},
    {"model":"lstm","medianMs":0.3333}
  ],
  "training": [
    {"curve":[{"epoch":1,"loss":123.5}]}
  ],
  "wkv": [],
  "wkvNotes": [
    "a note"
  ]
}
`,
  );
});
