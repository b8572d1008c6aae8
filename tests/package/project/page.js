import { presets, rwkv } from "@seqmix/seqmix";
import { bigram } from "./bigram.js";
import { trainTogether } from "./training.js";

try {
  await trainTogether(rwkv, presets.matched.rwkv);
  const worker = () => new Worker(new URL("./train_worker.js", import.meta.url), { type: "module" });
  await trainTogether(bigram, { vocabulary: 11 }, { worker });
  const generating = new Worker(new URL("./generate_worker.js", import.meta.url), { type: "module" });
  const ids = await new Promise((resolve, reject) => {
    generating.onmessage = ({ data }) => resolve(data);
    generating.postMessage([1, 2, 3]);
    generating.onerror = ({ message }) => reject(new Error(`generate_worker.js must load: ${message}`));
  });
  if (ids.length !== 4) throw new Error(`4 ids must be generated, current ones are ${ids}`);
  end("done");
} catch (error) {
  end(String(error));
}
