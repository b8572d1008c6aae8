import { assert, assertEquals, assertRejects } from "@std/assert";
import { outputOf, startProcess } from "../../bench/measure/process.ts";
import { casesOf } from "../../bench/peers/case.ts";
import { inNode } from "../../bench/peers/node.ts";
import { type OwnModelName, ownModels } from "../../bench/peers/own_models.ts";
import { apartTrainer, expectedLogits, inDeno, ownTrainer, trainer } from "../../bench/peers/seqmix.ts";
import { assertNear } from "../helpers.ts";

const [, transformer, lstm] = await casesOf("matched", 8);

Deno.test("the library trains in processes to the same losses, with and without workers, and reports the time", async () => {
  const losses = [];
  for (const peer of [trainer(1), trainer(2), apartTrainer]) {
    const training = await peer.open(lstm);
    losses.push((await training.outputs()).map((row) => row[0]));
    assert(await training.time(1) > 0);
    await training.close();
  }
  const [one, two, apart] = losses;
  assertEquals(one.length, 3);
  assert(one[1] < one[0], "it did not train");
  assertNear(two, one, 1e-4);
  assertEquals(apart, one);
});

Deno.test("the library trains models of one's own in processes, and reports the time", async () => {
  for (const model of Object.keys(ownModels) as OwnModelName[]) {
    const training = await ownTrainer.open({ model });
    const losses = (await training.outputs()).map((row) => row[0]);
    assertEquals(losses.length, 3);
    assert(losses[2] < losses[0], `${model} did not train`);
    assert(await training.time(1) > 0);
    await training.close();
  }
});

Deno.test("the library decodes the same in processes of Deno and of Node.js as here", async () => {
  const expected = await expectedLogits(transformer);
  for (const peer of [inDeno, inNode]) {
    const decoder = await peer.open(transformer);
    const logits = await decoder.outputs();
    assertEquals(logits.length, 8);
    logits.forEach((row, i) => assertNear(row, expected[i], 1e-4));
    assert(await decoder.time(2) > 0);
    await decoder.close();
  }
});

Deno.test("a process's replies are read line by line, and its last error rejects the pending request", async () => {
  const echo = `for await (const line of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    if (line.includes("end")) { console.error("first\\nCannot go on"); Deno.exit(1); }
    console.log("[" + line.trim() + "]");
  }`;
  const { request, close } = startProcess([Deno.execPath(), "eval", echo]);
  assertEquals(await request(1), [1]);
  assertEquals(await request({ a: "b" }), [{ a: "b" }]);
  await assertRejects(() => request("end"), Error, "Cannot go on");
  await assertRejects(() => request(2), Error, "Cannot go on");
  await close();
  const silent = startProcess([Deno.execPath(), "eval", "Deno.exit(7)"]);
  await assertRejects(() => silent.request(1), Error, "it ended with code 7");
  await silent.close();
});

Deno.test("outputOf() returns what a process prints, or throws the reason of its failure", async () => {
  assertEquals(await outputOf([Deno.execPath(), "eval", "console.log(1 + 1)"]), "2\n");
  const failing = "console.log(3); console.error('first\\nCannot go on'); Deno.exit(1)";
  await assertRejects(() => outputOf([Deno.execPath(), "eval", failing]), Error, "Cannot go on");
});

Deno.test("a process of the library that can't train reports the reason", async () => {
  const training = await trainer(0).open(lstm);
  await assertRejects(() => training.outputs(), Error, "workers must be an integer at least 1");
  await training.close();
});
