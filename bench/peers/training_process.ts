/**
 * The library training, by its public `fit`, in a process of its own, as it has one where it is used: neither what others
 * leave in the heap nor what the engine has compiled for them is in its way. Its argument is an order as JSON; then it is
 * asked line by line, on the standard input, until that ends.
 *
 * @module
 */
import { type AnyLanguageModel, createWasm, fit, lstmModel, put, rwkv, transformer } from "@seqmix/seqmix";
import { lines } from "./process.ts";
import { batchSize, hyper, trainingBatch, type TrainingOrder, type TrainingRequest } from "./trainers.ts";
import { casesOf, paramsOf } from "./weights.ts";

async function open({ model: name, preset, length, workers }: TrainingOrder) {
  const model = { rwkv, transformer, lstm: lstmModel }[name] as AnyLanguageModel;
  const subject = (await casesOf(preset, length)).find(({ model }) => model === name)!;
  const { learningRate, maxNorm, ...rest } = hyper;
  const backend = await createWasm();
  return fit(model, { train: trainingBatch(length) }, {
    params: await put(await paramsOf(subject), backend),
    backend,
    workers,
    batchSize,
    learningRate,
    maxNorm,
    hyper: rest,
    // An epoch is one batch, and so many that the learning rate does not go down.
    epochs: 1e9,
  });
}

if (import.meta.main) {
  try {
    const reports = await open(JSON.parse(Deno.args[0]));
    const step = async () => (await reports.next()).value!.losses[0];
    for await (const line of lines(Deno.stdin.readable)) {
      const request: TrainingRequest = JSON.parse(line);
      if ("take" in request) {
        const losses: number[] = [];
        while (losses.length < request.take) losses.push(await step());
        console.log(JSON.stringify(losses));
      } else {
        const start = performance.now();
        let steps = 0, taken = 0;
        do {
          await step();
          steps++;
          taken = performance.now() - start;
        } while (taken < request.pace);
        console.log(steps / taken);
      }
    }
    await reports.return();
  } catch (error) {
    // Its last line is what the asker gives as the reason.
    console.error(String(error));
    Deno.exit(1);
  }
}
