// A worker that does not train: it uses the library as a page does.
import { createBackend, generate, presets, put, rwkv } from "@seqmix/seqmix";

onmessage = async ({ data: prompt }) => {
  const backend = await createBackend();
  const params = await put(rwkv.init(presets.matched.rwkv, 1), backend);
  const ids = [];
  for await (const id of generate(rwkv, params, prompt, { maxTokens: 4 })) ids.push(id);
  postMessage(ids);
};
