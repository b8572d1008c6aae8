/**
 * Decodes with the library, or trains with its public `fit`, in a process of its own, as in an application: neither
 * the heap nor the compiled code of other implementations can interfere. Runs in Deno and in Node.js. Its argument
 * is an order as JSON; then it replies to requests on the standard input, one per line, until that ends.
 *
 * @module
 */
import { type Backend, createWasm, fit, type Loss, put } from "@seqmix/seqmix";
import process from "node:process";
import { createInterface } from "node:readline";
import { clocked } from "../measure/timer.ts";
import { type Case, casesOf, paramsOf } from "./case.ts";
import { type OwnModel, type OwnModelName, ownModels } from "./own_models.ts";
import type { OpenPeer, PeerRequest } from "./peer.ts";
import { models, openDecoder, type Order } from "./seqmix.ts";
import { batchSize, checkedSteps, hyper, trainingBatch } from "./training_set_up.ts";

/** The training that is compared, of a model or of a loss. */
function settingsOf(backend: Backend) {
  const { learningRate, maxNorm, ...rest } = hyper;
  // An epoch is one batch. There are enough of them that the learning rate stays constant.
  return { backend, batchSize, learningRate, maxNorm, hyper: rest, epochs: 1e9 };
}

async function openTrainer(subject: Case, workers: number): Promise<OpenPeer> {
  const backend = await createWasm(), params = await put(await paramsOf(subject), backend);
  const task = { train: trainingBatch(subject.length) };
  return trainingPeer(fit(models[subject.model], task, { ...settingsOf(backend), params, workers }));
}

async function openOwnTrainer(name: OwnModelName): Promise<OpenPeer> {
  const { init, examples, loss } = ownModels[name] as OwnModel, backend = await createWasm();
  const params = await put(init(), backend);
  return trainingPeer(
    fit(loss as Loss<unknown, unknown>, { train: examples(batchSize) }, { ...settingsOf(backend), params }),
  );
}

function trainingPeer(reports: AsyncGenerator<{ readonly losses: readonly number[] }, void>): OpenPeer {
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

async function openPeer(order: Order): Promise<OpenPeer> {
  if ("own" in order) return await openOwnTrainer(order.own);
  const { model, preset, length, workers } = order;
  const subject = (await casesOf(preset, length)).find((each) => each.model === model)!;
  return workers === undefined
    ? await openDecoder(subject, await createWasm())
    : await openTrainer(subject, workers);
}

try {
  const peer = await openPeer(JSON.parse(process.argv[2]));
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
