/**
 * Text and other sequences, made ready for training.
 *
 * @example A model of the bytes of a text
 * ```ts
 * import { byteTokenizer, textTask } from "@seqmix/seqmix/data";
 * import { rwkv } from "@seqmix/seqmix/models";
 * import { fit } from "@seqmix/seqmix/train";
 *
 * const task = textTask("The quick brown fox jumps over the lazy dog. ".repeat(50), { length: 32 });
 * const config = { vocabulary: byteTokenizer.vocabulary, layers: 1, channels: 16, feedForward: 64 };
 * for await (const { test } of fit(rwkv, task, { config, epochs: 1 })) console.log(test?.bitsPerToken); // bits a byte
 * ```
 *
 * @module
 */
export { type ByteStream, type ByteTokenizer, byteTokenizer } from "./byte_tokenizer.ts";
export { splitTrainTest, type SplitTrainTestOptions } from "./split_train_test.ts";
export { textTask, type TextTaskOptions } from "./text_task.ts";
export { type Sliceable, windows } from "./windows.ts";
