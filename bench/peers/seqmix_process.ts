/**
 * Decodes with the library, or trains with its public `fit`, in a process of its own, as in an application: neither
 * the heap nor the compiled code of other implementations can interfere. Runs in Deno and in Node.js. Its argument
 * is an order as JSON; then it replies to requests on the standard input, one per line, until that ends.
 *
 * @module
 */
import { createWasm, fit, put } from "@seqmix/seqmix";
import process from "node:process";
import { createInterface } from "node:readline";
import { clocked } from "../measure/timer.ts";
import { type Case, casesOf, paramsOf } from "./case.ts";
import type { OpenPeer, PeerRequest } from "./peer.ts";
import { models, openDecoder, type Order } from "./seqmix.ts";
import { batchSize, checkedSteps, hyper, trainingBatch } from "./training_set_up.ts";

async function openTrainer(subject: Case, workers: number): Promise<OpenPeer> {
  const { learningRate, maxNorm, ...rest } = hyper;
  const backend = await createWasm();
  const reports = fit(models[subject.model], { train: trainingBatch(subject.length) }, {
    params: await put(await paramsOf(subject), backend),
    backend,
    workers,
    batchSize,
    learningRate,
    maxNorm,
    hyper: rest,
    // An epoch is one batch. There are enough of them that the learning rate stays constant.
    epochs: 1e9,
  });
  const take = async (steps: number) => {
    const losses: [number][] = [];
    while (losses.length < steps) losses.push([(await reports.next()).value!.losses[0]]);
    return losses;
  };
  return {
    outputs: () => take(checkedSteps),
    ...clocked(async (steps) => void await take(steps)),
    async close() {
      await reports.return();
    },
  };
}

try {
  const { model, preset, length, workers }: Order = JSON.parse(process.argv[2]);
  const subject = (await casesOf(preset, length)).find((each) => each.model === model)!;
  const peer = workers === undefined
    ? await openDecoder(subject, await createWasm())
    : await openTrainer(subject, workers);
  for await (const line of createInterface({ input: process.stdin })) {
    const request: PeerRequest = JSON.parse(line);
    const reply = request === "outputs"
      ? (await peer.outputs()).map((row) => Array.from(row))
      : await peer.time(request);
    console.log(JSON.stringify(reply));
  }
  await peer.close();
} catch (error) {
  // The other process reports this last line as the reason.
  console.error(String(error));
  process.exit(1);
}
