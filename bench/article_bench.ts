/**
 * The article's two tables, which `deno bench -A` prints at the end: the time and the memory of a token.
 *
 * @module
 */
// Sequential imports, to keep the order of the benches and tables.
await import("./latency_bench.ts");
await import("./memory_bench.ts");
