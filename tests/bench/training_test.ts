import { assert, assertEquals, assertRejects } from "@std/assert";
import { createReference, loadTree } from "@seqmix/seqmix";
import { tensorsOf } from "../../src/tree.ts";
import { type LessonSize, makeLesson } from "../../bench/training/lesson.ts";
import { checkpointNames, measureTraining, type TrainingPlan } from "../../bench/training/measure.ts";
import { type OnProgress, train, type TrainingRow } from "../../bench/training/train.ts";

const size: LessonSize = {
  train: 320,
  test: 8,
  lengths: [12, 16],
  task: { vocabulary: 11, motifs: 4, motifLength: 4, longestCycle: 2 },
};
const lesson = makeLesson(size, 1);
const student = {
  preset: "matched",
  model: "rwkv",
  config: { vocabulary: 11, layers: 1, channels: 6, feedForward: 9 },
  seed: 1,
} as const;
const epochs = 4;

/** A training to the end, or to where `onProgress` throws, with the checkpoints in a folder. */
function run(folder: string, onProgress: OnProgress = () => {}): Promise<TrainingRow> {
  const backend = createReference();
  const how = { backend, workers: 1, epochs, date: "today", checkpoint: `${folder}/one.safetensors` };
  return train(student, lesson, how, onProgress);
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

Deno.test("makeLesson() is fixed by its seed, and never tests on what is trained on", () => {
  assertEquals(makeLesson(size, 1), lesson);
  assert(String(makeLesson(size, 2).test) !== String(lesson.test));
  const trained = new Set(lesson.train.map(String));
  assertEquals(lesson.test.filter((tokens) => trained.has(String(tokens))), []);
  assertEquals([lesson.train.length, lesson.test.length], [320, 8]);
  assert(lesson.ceiling.accuracy > lesson.ngram.accuracy && lesson.ceiling.loss < lesson.ngram.loss);
});

Deno.test("train() has a row with the learning curve, whose last point is the result", async () => {
  await withFolder(async (folder) => {
    const row = await run(folder);
    assertEquals(row.curve.map(({ epoch }) => epoch), [1, 2, 3, 4]);
    const { trainLoss, testLoss, accuracy } = row;
    assertEquals(row.curve.at(-1), { epoch: 4, trainLoss, testLoss, accuracy });
    assert(row.testLoss < row.curve[0].testLoss);
    assertEquals([row.parameters, row.epochs, row.trainSequences, row.testSequences], [510, 4, 320, 8]);
    assertEquals([row.ceilingAccuracy, row.ngramLoss], [lesson.ceiling.accuracy, lesson.ngram.loss]);
    // The kinds' accuracies, weighed by how many positions they have, are the accuracy.
    assert(Object.values(row.accuracyByKind).some((share) => share! > row.accuracy));
    assert(Object.values(row.accuracyByKind).some((share) => share! <= row.accuracy));
    assert(row.seconds > 0 && row.tokensPerS > 0);
  });
});

Deno.test("train() interrupted anywhere goes on to the same row, bit for bit", async () => {
  await withFolder(async (whole) => {
    const expected = withoutTimes(await run(whole));
    // An epoch is 10 steps, so that reports come in the middle of an epoch and at its end, before its checkpoint.
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

Deno.test("train() that is done is not repeated, and its parameters are in its checkpoint", async () => {
  await withFolder(async (folder) => {
    const row = await run(folder);
    const again = await run(folder, () => {
      throw new Error("trained again");
    });
    assertEquals(again, row);
    const { tree } = loadTree(await Deno.readFile(`${folder}/one.safetensors`));
    assert(tensorsOf(tree).length > 10);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["one.safetensors"]);
  });
});

Deno.test("measureTraining() trains every model of every seed, and says where it is", async () => {
  await withFolder(async (checkpoints) => {
    const plan: TrainingPlan = {
      presets: ["matched"],
      models: ["lstm", "rwkv"],
      seeds: 2,
      epochs: 1,
      workers: 1,
    };
    const lines: string[] = [], done: number[] = [];
    using backend = createReference();
    const progress = {
      log: (line: string) => lines.push(line),
      update: (at: number, total: number) => done.push(at / total),
    };
    const tiny: LessonSize = { train: 4, test: 2, lengths: [10] };
    const rows = await measureTraining(
      plan,
      { backend, date: "today", checkpoints },
      progress,
      { matched: tiny, seed: tiny },
    );
    assertEquals(rows.map(({ model, seed }) => `${model} ${seed}`), ["lstm 1", "rwkv 1", "lstm 2", "rwkv 2"]);
    assertEquals(rows[0].ceilingLoss, rows[1].ceilingLoss);
    assert(rows[0].ceilingLoss !== rows[2].ceilingLoss);
    assertEquals(lines.length, 4);
    assert(lines[3].startsWith("RWKV, matched, seed 2 (4 of 4): epoch 1 of 1, train loss "), lines[3]);
    assertEquals(done.at(-1), 1);
    assertEquals(done, done.toSorted((a, b) => a - b));
    const files = [...Deno.readDirSync(checkpoints)].map(({ name }) => name);
    assertEquals(files.toSorted(), checkpointNames(plan, "reference").toSorted());
    assertEquals(backend.memory().bytes, 0);
  });
});
