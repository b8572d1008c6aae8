/**
 * The numbers of "Deconstructing RWKV, Part 3", to compare the report's with.
 *
 * @module
 */
import type { ModelName } from "../measure/subjects.ts";

interface ArticleRow {
  readonly length: number;
  /** In ms per token. */
  readonly latency: Readonly<Record<ModelName, number>>;
  /** In MB. */
  readonly memory: Readonly<Record<ModelName, number>>;
}

/** The quantities of the article's tables. */
export type Quantity = Exclude<keyof ArticleRow, "length">;

export const article: readonly ArticleRow[] = [
  {
    length: 32,
    latency: { rwkv: 0.42, transformer: 0.38, lstm: 0.51 },
    memory: { rwkv: 12.4, transformer: 14.2, lstm: 13.1 },
  },
  {
    length: 64,
    latency: { rwkv: 0.43, transformer: 0.52, lstm: 0.53 },
    memory: { rwkv: 12.5, transformer: 21.8, lstm: 13.2 },
  },
  {
    length: 128,
    latency: { rwkv: 0.44, transformer: 0.81, lstm: 0.55 },
    memory: { rwkv: 12.6, transformer: 37.1, lstm: 13.4 },
  },
  {
    length: 256,
    latency: { rwkv: 0.45, transformer: 1.43, lstm: 0.58 },
    memory: { rwkv: 12.8, transformer: 67.5, lstm: 13.7 },
  },
];

/** The article's numbers at a length; undefined for a length that it does not have. */
export function articleAt(length: number): ArticleRow | undefined {
  return article.find((row) => row.length === length);
}

interface ArticleTraining {
  readonly trainLoss: number;
  readonly testLoss: number;
  /** From 0 to 1. */
  readonly accuracy: number;
}

/** After 50 epochs, on the article's own sequences. */
export const articleTraining: Readonly<Record<ModelName, ArticleTraining>> = {
  rwkv: { trainLoss: 0.234, testLoss: 0.289, accuracy: 0.873 },
  transformer: { trainLoss: 0.198, testLoss: 0.267, accuracy: 0.889 },
  lstm: { trainLoss: 0.312, testLoss: 0.378, accuracy: 0.821 },
};
