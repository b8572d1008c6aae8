/**
 * Seqmix: pure functions for the three ways a network can mix a sequence (RWKV, attention, LSTM), and the language
 * models built of them. Every mixer is the same function,
 *
 *     (params, x: [B, T, C], state) -> { y: [B, T, C], state }
 *
 * and splitting a sequence anywhere changes nothing: one token is T = 1, a prompt is T = n.
 *
 * @example
 * ```ts
 * import { generate, presets, rwkv } from "@seqmix/seqmix";
 *
 * const params = rwkv.init(presets.matched.rwkv, 1);
 * for await (const id of generate(rwkv, params, [1, 2, 3], { maxTokens: 4 })) console.log(id);
 * ```
 *
 * The names, their types and documentation are those of `src/mod.ts`. What runs is one file made of the sources, which is
 * found, read and compiled sooner than a hundred.
 *
 * @module
 */
// @ts-types="./src/mod.ts"
export * from "./bundle/mod.js";
