/**
 * The other thread of {@linkcode apartTrainer}.
 *
 * @module
 */
import type { Order } from "./apart.ts";
import { paceOf, seqmixTrainer, type Training } from "./trainers.ts";
import { casesOf } from "./weights.ts";

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(pace: number): void;
};
let training: Training;

scope.onmessage = async ({ data }) => {
  if (typeof data === "number") return scope.postMessage(await paceOf(training, data));
  const cases = await casesOf(data.preset, data.length);
  training = await seqmixTrainer(1).open(cases.find(({ model }) => model === data.model)!);
  scope.postMessage(0);
};
