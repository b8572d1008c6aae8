/**
 * Two threads that train a model each and share nothing: what two workers, who share every batch, could reach on this
 * machine at best. Two cores that are busy at once share caches and memory, and often a clock.
 *
 * @module
 */
import { paceOf, seqmixTrainer, type Trainer } from "./trainers.ts";
import type { Case } from "./weights.ts";

/** What the other thread is told: which case, then for how many ms to train. It answers with its pace. */
export type Order = Pick<Case, "model" | "preset" | "length"> | number;

export const apartTrainer: Trainer = {
  name: "seqmix-wasm-apart",
  threads: 2,
  async open(subject) {
    const { model, preset, length } = subject;
    const other = new Worker(new URL("./apart_worker.ts", import.meta.url), { type: "module" });
    const ask = (order: Order) =>
      new Promise<number>((resolve, reject) => {
        other.onmessage = ({ data }) => resolve(data);
        other.onerror = (event) => {
          event.preventDefault();
          reject(new Error(event.message));
        };
        other.postMessage(order);
      });
    const here = await seqmixTrainer(1).open(subject);
    const close = async () => {
      other.terminate();
      await here.close();
    };
    try {
      await ask({ model, preset, length });
    } catch (error) {
      await close();
      throw error;
    }
    return {
      take: here.take,
      async pace(ms) {
        const [own, others] = await Promise.all([paceOf(here, ms), ask(ms)]);
        return own + others;
      },
      close,
    };
  },
};
