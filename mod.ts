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
 * All names are here; `/core`, `/ops`, `/layers`, `/models`, `/train`, `/tasks` and `/checkpoint` behind the package's name
 * have them in parts, for who wants to load no more than is used.
 *
 * @module
 */
export * from "./src/mod.ts";
