import { assert, assertEquals, assertRejects } from "@std/assert";
import { startProcess } from "../../bench/peers/process.ts";
import { apartTrainer, seqmixTrainer } from "../../bench/peers/trainers.ts";
import { casesOf } from "../../bench/peers/weights.ts";
import { assertNear } from "../helpers.ts";

const [, , lstm] = await casesOf("matched", 8);

Deno.test("the library trains in processes to the same losses, with workers and apart, and says its pace", async () => {
  const losses = [];
  for (const trainer of [seqmixTrainer(1), seqmixTrainer(2), apartTrainer]) {
    const training = await trainer.open(lstm);
    losses.push(await training.take(2));
    assert(await training.pace(1) > 0);
    await training.close();
  }
  const [one, two, apart] = losses;
  assertEquals(one.length, 2);
  assert(one[1] < one[0], "it did not train");
  assertNear(two, one, 1e-4);
  assertEquals(apart, one);
});

Deno.test("a process's answers come line by line, and what it says as it ends is the error of who asks", async () => {
  const echo = `for await (const line of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    if (line.includes("end")) { console.error("first\\nCannot go on"); Deno.exit(1); }
    console.log("[" + line.trim() + "]");
  }`;
  const { ask, close } = startProcess(Deno.execPath(), ["eval", echo]);
  assertEquals(await ask(1), [1]);
  assertEquals(await ask({ a: "b" }), [{ a: "b" }]);
  await assertRejects(() => ask("end"), Error, "Cannot go on");
  await assertRejects(() => ask(2), Error, "Cannot go on");
  await close();
  const silent = startProcess(Deno.execPath(), ["eval", "Deno.exit(7)"]);
  await assertRejects(() => silent.ask(1), Error, "it ended with code 7");
  await silent.close();
});

Deno.test("a process of the library's that can't train says why", async () => {
  const training = await seqmixTrainer(0).open(lstm);
  await assertRejects(() => training.take(1), Error, "workers must be an integer at least 1");
  await training.close();
});
