import { assert, assertEquals, assertRejects } from "@std/assert";
import { createReference, trainAndTest } from "@seqmix/seqmix";
import { compare, comparisonsOf } from "../../bench/training/comparison.ts";
import { type DatasetSize, makeDataset } from "../../bench/training/dataset.ts";
import { commandOf, measureTraining, missingCells, type TrainingPlan } from "../../bench/training/measure.ts";
import { readRows } from "../../bench/training/rows.ts";
import { nameOf, type TrainingRow } from "../../bench/training/row.ts";
import { type OnProgress, train } from "../../bench/training/train.ts";
import { parseOptions } from "../../bench/report/options.ts";
import { machine, runtime, trainingRow, trainings } from "./results.ts";

const size: DatasetSize = {
  train: 320,
  test: 8,
  lengths: [12, 16],
  task: { vocabulary: 11, motifs: 4, motifLength: 4, longestCycle: 2 },
};
const dataset = makeDataset(size, 1);
const config = { vocabulary: 11, layers: 1, channels: 6, feedForward: 9 };
const cell = { preset: "matched", model: "rwkv", seed: 1, rate: 1e-3, epochs: 4 } as const;
const origin = { date: "today", command: "a command", machine, runtime };

/** Trains to the end, or until `onProgress` throws, with the checkpoint in a folder. */
function run(folder: string, onProgress: OnProgress = () => {}): Promise<TrainingRow> {
  const setup = {
    config,
    backend: createReference(),
    workers: 1,
    origin,
    checkpoint: `${folder}/one.safetensors`,
  };
  return train(cell, dataset, setup, onProgress);
}

const withoutTimes = ({ seconds: _s, tokensPerS: _t, ...row }: TrainingRow) => row;

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("makeDataset() is determined by its seed, and its sets are disjoint", () => {
  assertEquals(makeDataset(size, 1), dataset);
  const { train, test, validation } = dataset;
  assert(String(makeDataset(size, 2).test) !== String(test));
  const trained = new Set(train.map(String)), tested = new Set(test.map(String));
  assertEquals(test.filter((tokens) => trained.has(String(tokens))), []);
  assertEquals(validation.filter((tokens) => trained.has(String(tokens)) || tested.has(String(tokens))), []);
  assertEquals([train.length, test.length, validation.length], [320, 8, 8]);
  assertEquals(validation.map(({ length }) => length), test.map(({ length }) => length));
  assert(dataset.ceiling.accuracy > dataset.ngram.accuracy && dataset.ceiling.loss < dataset.ngram.loss);
});

Deno.test("makeDataset() has the same train and test sets as without a validation set", () => {
  const { task, train, test } = dataset, { lengths, ...counts } = size;
  assertEquals(trainAndTest(task, { train: counts.train, test: counts.test, length: lengths, seed: 1 }), {
    train,
    test,
  });
});

Deno.test("train() has a row with the learning curve, whose last point is the result", async () => {
  await withFolder(async (folder) => {
    const row = await run(folder);
    assertEquals(row.curve.map(({ epoch }) => epoch), [1, 2, 3, 4]);
    const { trainLoss, testLoss, accuracy } = row;
    assertEquals(row.curve.at(-1), { epoch: 4, trainLoss, testLoss, accuracy });
    assert(row.testLoss < row.curve[0].testLoss);
    assertEquals([row.parameters, row.epochs, row.trainSequences, row.testSequences], [510, 4, 320, 8]);
    assertEquals([row.ceilingAccuracy, row.ngramLoss], [dataset.ceiling.accuracy, dataset.ngram.loss]);
    assert(row.validationLoss !== row.testLoss && row.validationAccuracy > 0 && row.validationAccuracy < 1);
    assertEquals([row.rate, row.origin], [1e-3, origin]);
    // The accuracies of the kinds, weighted by their numbers of positions, give the total accuracy.
    assert(Object.values(row.accuracyByKind).some((share) => share! > row.accuracy));
    assert(Object.values(row.accuracyByKind).some((share) => share! <= row.accuracy));
    assert(row.seconds > 0 && row.tokensPerS > 0);
  });
});

Deno.test("train() interrupted at any point resumes to the same row, bit for bit", async () => {
  await withFolder(async (whole) => {
    const expected = withoutTimes(await run(whole));
    // An epoch is 10 steps, so there are reports in the middle of an epoch, and at its end before its checkpoint.
    for (const [stop, done] of [[1, 0], [3, 1], [6, 2]]) {
      await withFolder(async (folder) => {
        let reports = 0;
        const interrupt = () => {
          if (++reports === stop) throw new Error("interrupted");
        };
        await assertRejects(() => run(folder, interrupt), Error, "interrupted");
        const seen: number[] = [];
        const row = await run(folder, (at, resumed) => {
          assertEquals(resumed, done);
          if (at.test) seen.push(at.epoch);
        });
        assertEquals(withoutTimes(row), expected);
        assertEquals(seen, [1, 2, 3, 4].slice(done));
      });
    }
  });
});

const tiny: DatasetSize = { train: 4, test: 2, lengths: [10] };
const sizes = { matched: tiny, article: tiny };

Deno.test("measureTraining() runs the missing trainings, and writes a file for each", async () => {
  await withFolder(async (out) => {
    const plan: TrainingPlan = {
      presets: ["matched"],
      models: ["lstm", "rwkv"],
      named: { seeds: [1, 2], rates: [1e-3] },
      epochs: 1,
      workers: 1,
    };
    const lines: string[] = [], done: number[] = [];
    using backend = createReference();
    const progress = {
      log: (line: string) => lines.push(line),
      update: (at: number, total: number) => done.push(at / total),
    };
    await measureTraining(plan, { backend, origin, out, progress }, sizes);
    const rows = await readRows(out);
    assertEquals(rows.map(({ model, seed }) => `${model} ${seed}`), ["lstm 1", "lstm 2", "rwkv 1", "rwkv 2"]);
    assertEquals(rows[0].ceilingLoss, rows[2].ceilingLoss);
    assert(rows[0].ceilingLoss !== rows[1].ceilingLoss);
    assertEquals(lines.length, 4);
    assert(
      lines[3].startsWith("RWKV, matched, seed 2, rate 0.001 (4 of 4): epoch 1 of 1, train loss "),
      lines[3],
    );
    assertEquals(done.at(-1), 1);
    assertEquals(done, done.toSorted((a, b) => a - b));
    assertEquals(
      [...Deno.readDirSync(`${out}/training`)].map(({ name }) => name).toSorted(),
      rows.map((row) => `${nameOf(row, "reference")}.json`),
    );
    assertEquals(backend.memory().bytes, 0);
    // One more rate: the others are not trained again.
    lines.length = 0;
    const more = { ...plan, named: { seeds: [1], rates: [1e-3, 0.5] } };
    await measureTraining(more, { backend, origin, out, progress }, sizes);
    assertEquals(lines.map((line) => line.split(" (")[0]), [
      "LSTM, matched, seed 1, rate 0.5",
      "RWKV, matched, seed 1, rate 0.5",
    ]);
  });
});

Deno.test("measureTraining() without seeds and rates trains the grid, and then at the chosen rate", async () => {
  await withFolder(async (out) => {
    const plan: TrainingPlan = { presets: ["matched"], models: ["lstm"], epochs: 1, workers: 1 };
    using backend = createReference();
    await measureTraining(plan, { backend, origin, out, progress: { log() {}, update() {} } }, sizes);
    const rows = await readRows(out);
    const [{ chosen, best, article, missing }] = comparisonsOf(rows);
    assertEquals(
      best.map(({ rate, seed }) => [rate, seed]),
      [1, 2, 3].map((seed) => [chosen.get("lstm"), seed]),
    );
    assertEquals(article.map(({ seed }) => seed), [1, 2, 3]);
    assertEquals(rows.length, chosen.get("lstm") === 1e-3 ? 6 : 8);
    assertEquals(missing.filter(({ model }) => model === "lstm"), []);
  });
});

const compared = { preset: "matched", backend: "wasm", epochs: 50 } as const;

Deno.test("compare() chooses the rate from a complete grid by the validation accuracy of seed 1 alone", () => {
  const training = trainings({ seeds: 3 }).map((row) => {
    if (row.model !== "lstm") return row;
    // The test accuracies, and those of another seed, would choose the opposite.
    const validationAccuracy = row.seed === 1 ? (row.rate === 3e-4 ? 0.9 : 0.1) : row.rate;
    return { ...row, accuracy: 1 - validationAccuracy, validationAccuracy };
  });
  const { chosen, missing } = compare(compared, training);
  assertEquals(Object.fromEntries(chosen), { rwkv: 3e-3, lstm: 3e-4, transformer: 3e-3 });
  assertEquals(missing.map(({ model, seed, rate }) => [model, seed, rate]), [["lstm", 2, 3e-4], [
    "lstm",
    3,
    3e-4,
  ]]);
  const partly = training.filter(({ model, rate }) => model !== "rwkv" || rate !== 1e-2);
  assertEquals([...compare(compared, partly).chosen.keys()], ["lstm", "transformer"]);
  assertEquals(compare(compared, partly).missing[0], { ...cell, rate: 1e-2, epochs: 50 });
});

Deno.test("compare() uses shorter trainings for the grid of the article's sizes", () => {
  const training = trainings({ seeds: 1 }).map((row): TrainingRow => ({ ...row, preset: "article" }));
  const grid = training.map((row) => ({ ...row, epochs: 10 }));
  const [comparison, ...none] = comparisonsOf([...grid, ...training]);
  assertEquals([none.length, comparison.epochs, comparison.grid, comparison.missing], [0, 50, grid, []]);
  assertEquals(comparison.best.map(({ epochs, rate }) => [epochs, rate]), Array(3).fill([50, 3e-3]));
});

Deno.test("missingCells() gives one command per training", () => {
  const plan: TrainingPlan = {
    presets: ["matched", "article"],
    models: ["rwkv", "lstm"],
    epochs: 50,
    workers: 2,
  };
  const done = [trainingRow({ rate: 1e-2 })];
  const cells = missingCells(plan, "wasm", done);
  // The grid, and the article's rate with the other seeds: 4 + 2 and 4 + 1 per model, minus the one that is done.
  assertEquals(cells.length, 2 * (6 + 5) - 1);
  for (const cell of cells) {
    const words = commandOf(cell, plan, "wasm", "a/folder").split(" ");
    assertEquals(words.splice(0, 3), ["deno", "task", "report"]);
    const { only, training, backends, out } = parseOptions(words);
    assertEquals([only, backends, out, training.workers], [["training"], ["wasm"], "a/folder", 2]);
    assertEquals(missingCells(training, "wasm", done), [cell]);
  }
});
