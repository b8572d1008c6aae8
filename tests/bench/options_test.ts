import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { backendNames } from "../../bench/measure/backends.ts";
import { parseOptions, usage } from "../../bench/report/options.ts";

Deno.test("parseOptions() has a default for every flag", () => {
  assertEquals(parseOptions([]), {
    help: false,
    redraw: false,
    list: false,
    only: ["latency", "memory", "wkv"],
    presets: ["article", "matched"],
    lengths: [32, 64, 128, 256],
    backends: backendNames,
    training: {
      presets: ["matched"],
      models: ["rwkv", "lstm", "transformer"],
      named: undefined,
      epochs: 50,
      workers: undefined,
    },
    out: "results",
  });
});

Deno.test("parseOptions() reads lists without duplicates, and sorts the lengths", () => {
  const options = parseOptions([
    "--only=memory",
    "--preset",
    "matched, article,matched",
    "--lengths",
    "4096,32,032",
    "--backend=reference",
    "--out",
    "elsewhere",
    "--models=lstm",
    "--seed=3,1",
    "--rate=3e-3,1e-3,3e-3",
    "--epochs=2",
    "--workers=7",
  ]);
  assertEquals(options, {
    help: false,
    redraw: false,
    list: false,
    only: ["memory"],
    presets: ["matched", "article"],
    lengths: [32, 4096],
    backends: ["reference"],
    training: {
      presets: ["matched", "article"],
      models: ["lstm"],
      named: { seeds: [3, 1], rates: [3e-3, 1e-3] },
      epochs: 2,
      workers: 7,
    },
    out: "elsewhere",
  });
});

Deno.test("parseOptions() uses seed 1 or the article's rate if only the other is given", () => {
  assertEquals(parseOptions(["--rate=3e-3"]).training.named, { seeds: [1], rates: [3e-3] });
  assertEquals(parseOptions(["--seed=2"]).training.named, { seeds: [2], rates: [1e-3] });
});

Deno.test("parseOptions() accepts --redraw and --list", () => {
  assertEquals(parseOptions(["--redraw", "--out=somewhere"]).redraw, true);
  assertEquals(parseOptions(["--only=training", "--list"]).list, true);
});

Deno.test("parseOptions() accepts --help, which lists every flag", () => {
  assertEquals(parseOptions(["--help"]).help, true);
  for (
    const flag of [
      "--only",
      "--preset",
      "--lengths",
      "--backend",
      "--models",
      "--seed",
      "--rate",
      "--list",
      "--epochs",
      "--workers",
      "--out",
      "--help",
    ]
  ) {
    assertStringIncludes(usage, flag);
  }
});

Deno.test.each([
  [["--speed"], "flags must be those of --help, current flag is --speed"],
  [["latency"], "flags must be those of --help, current flag is latency"],
  [["--only=speed"], '--only must be of latency, memory, wkv, training, current value is "speed"'],
  [["--only="], '--only must be values with commas between them, current value is ""'],
  [["--preset=large"], '--preset must be of article, matched, current value is "large"'],
  [["--backend=cuda"], '--backend must be of wasm, reference, webgpu, current value is "cuda"'],
  [["--backend=__proto__"], 'current value is "__proto__"'],
  [["--lengths=32,x"], '--lengths must be integers from 1 to 65536, current value is "32,x"'],
  [["--lengths=0"], '--lengths must be integers from 1 to 65536, current value is "0"'],
  [["--lengths=1.5"], '--lengths must be integers from 1 to 65536, current value is "1.5"'],
  [["--models=gru"], '--models must be of rwkv, lstm, transformer, current value is "gru"'],
  [["--seed=0", "--rate=1"], '--seed must be a whole number of at least 1, current value is "0"'],
  [["--seed=1", "--rate=1,0"], '--rate must be numbers above 0, current value is "1,0"'],
  [["--seed=1", "--rate=fast"], '--rate must be numbers above 0, current value is "fast"'],
  [["--epochs=1.5"], '--epochs must be a whole number of at least 1, current value is "1.5"'],
  [["--workers="], '--workers must be a whole number of at least 1, current value is ""'],
  [["--out="], '--out must be a folder, current value is ""'],
  [["--", "--only=memory"], "flags must be those of --help, current flag is -- --only=memory"],
])("parseOptions() refuses %j", (args, words) => {
  assertThrows(() => parseOptions(args), RangeError, words);
});
