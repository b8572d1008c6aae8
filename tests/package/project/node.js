import { Worker } from "node:worker_threads";
import { presets, rwkv } from "@seqmix/seqmix";
import { bigram } from "./bigram.js";
import { trainTogether } from "./training.js";

await trainTogether(rwkv, presets.matched.rwkv);
const worker = () => new Worker(new URL("./train_worker.js", import.meta.url));
await trainTogether(bigram, { vocabulary: 11 }, { worker });
// Without a model, it reports that, and the process ends.
const none = () => new Worker("0", { eval: true });
const error = await trainTogether(bigram, { vocabulary: 11 }, { worker: none }).catch(String);
if (!/Cannot train in worker: .*exit code is 0/.test(error)) {
  throw new Error(`A thread that ends must fail: ${error}`);
}
console.log("done");
