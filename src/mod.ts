/**
 * Every public name.
 *
 * @module
 */
export * from "./core.ts";
export * from "./ops/mod.ts";
export * from "./layers/mod.ts";
export * from "./models/mod.ts";
export * from "./train/mod.ts";
export * from "./tasks/mod.ts";
export * from "./data/mod.ts";
export * from "./checkpoint/mod.ts";
