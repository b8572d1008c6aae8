import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { evaluate, lstmModel, presets, put, read, rwkv, transformer } from "@seqmix/seqmix";
import { randomSource } from "../../src/random.ts";
import { testFailures, testOnAll, wrong } from "../helpers.ts";
import { models } from "../mixers.ts";

/** Sequences of these lengths. */
function randomSequences(seed: number, lengths: readonly number[], vocabulary = 11): number[][] {
  const random = randomSource(seed);
  return lengths.map((length) => Array.from({ length }, () => random.integer(vocabulary)));
}

// More than two batches of one length, among sequences of other lengths.
const lengths = Array.from({ length: 90 }, (_, i) => i % 9 === 0 ? 2 + i / 9 : 6);

for (const { name, model, make } of models) {
  testOnAll(`evaluate() of ${name} combines the losses of the single sequences`, async (backend) => {
    const params = await put(make(1), backend);
    const sequences = randomSequences(1, lengths);
    let total = 0, correct = 0, count = 0;
    for (const sequence of sequences) {
      const { logits } = model.forward(params, [sequence.slice(0, -1)], model.initialState(params));
      const values = await read(logits);
      for (const [t, target] of sequence.slice(1).entries()) {
        const row = Array.from(values.subarray(t * 11, (t + 1) * 11));
        total += Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - row[target];
        correct += row.indexOf(Math.max(...row)) === target ? 1 : 0;
        count++;
      }
    }
    const result = await evaluate(model, params, sequences);
    assertAlmostEquals(result.loss, total / count, 1e-5);
    assertEquals(result.accuracy, correct / count);
    assertAlmostEquals(result.perplexity, Math.exp(total / count), 1e-3);
    assert(correct > 0 && correct < count);
  });

  testOnAll(`evaluate() of ${name} leaves nothing allocated, also if it fails`, async (backend) => {
    const params = await put(make(1), backend);
    const { bytes } = backend.memory();
    await evaluate(model, params, randomSequences(1, lengths));
    assertEquals(backend.memory().bytes, bytes);
    for (const unknown of [[99, 1, 2], [1, 2, 99]]) {
      let message = "";
      await evaluate(model, params, [[1, 2], unknown]).catch((error) => message = `${error}`);
      assert(/^RangeError: .* current id is 99 at \[0, [01]\]$/.test(message), message);
      assertEquals(backend.memory().bytes, bytes);
    }
  });
}

Deno.test("evaluate() accepts typed arrays", async () => {
  const [{ model, make }] = models;
  const params = make(1);
  const sequences = randomSequences(2, [3, 5, 5]);
  assertEquals(
    await evaluate(model, params, sequences.map((ids) => Uint16Array.from(ids))),
    await evaluate(model, params, sequences),
  );
});

Deno.test("evaluate() of an untrained model is about chance", async () => {
  const sequences = randomSequences(3, Array.from({ length: 12 }, () => 40), 64);
  const { matched } = presets;
  const results = [
    await evaluate(rwkv, rwkv.init(matched.rwkv, 1), sequences),
    await evaluate(transformer, transformer.init(matched.transformer, 1), sequences),
    await evaluate(lstmModel, lstmModel.init(matched.lstm, 1), sequences),
  ];
  for (const { loss, accuracy, perplexity, bitsPerToken } of results) {
    // RWKV's head starts with logits of standard deviation around 1/2, so its loss is a little higher.
    assertAlmostEquals(loss, Math.log(64), 0.2);
    assert(accuracy < 0.06, String(accuracy));
    assertEquals(perplexity, Math.exp(loss));
    assertAlmostEquals(bitsPerToken, 6, 0.3);
    assertAlmostEquals(2 ** bitsPerToken, perplexity, 1e-9);
  }
});

const [{ model, make }] = models;
const params = make(1);
const evaluating = (sequences: unknown) => () => evaluate(model, params, wrong(sequences));
testFailures("evaluate()", [
  [
    "no sequence",
    evaluating([]),
    TypeError,
    "Cannot evaluate: sequences must be a list of at least one sequence, current value is an array of length 0",
  ],
  [
    "nothing",
    evaluating(undefined),
    TypeError,
    "Cannot evaluate: sequences must be a list of at least one sequence, current value is undefined",
  ],
  [
    "a sequence of one token",
    evaluating([[1, 2], [3]]),
    TypeError,
    "Cannot evaluate: sequences[1] must be a list of at least 2 token ids, current length is 1",
  ],
  [
    "a flat list",
    evaluating([1, 2]),
    TypeError,
    "Cannot evaluate: sequences[0] must be a list of at least 2 token ids, current value is 1",
  ],
  [
    "an unknown id among those read",
    evaluating([[1, 2, 3], [4, 11, 5]]),
    RangeError,
    "Cannot look up embedding: tokens must be integers from 0 to 10, current id is 11 at [1, 1]",
  ],
  [
    "an unknown id among those predicted",
    evaluating([[1, 2, 11]]),
    RangeError,
    "Cannot compute cross-entropy: targets must be integers from 0 to 10, current id is 11 at [0, 1]",
  ],
]);
