/**
 * The article's two tables, as `deno bench -A` ends with them: the time and the memory of a token.
 *
 * @module
 */
// One after the other, so that their benches and tables have this order.
await import("./latency_bench.ts");
await import("./memory_bench.ts");
