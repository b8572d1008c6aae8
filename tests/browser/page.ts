/** Runs in the page: runs the tests that the bundle has registered. */
import { failuresOf, tests } from "./deno_in_page.ts";

/** Functions that the driver of the page provides. */
declare function report(failures: readonly string[]): Promise<void>;
declare function end(): Promise<void>;

/**
 * Plain TypeScript is the same in every runtime. Property tests with thousands of cases, and loops as long as another
 * driver's limit, would take minutes in software.
 */
const elsewhere = new RegExp([
  "on (reference|the float64 reference|wasm, baseline)",
  ...["splitting a sequence", "any kept state", "the limits of a dispatch and of a loop", "any number of"],
].join("|"));

/** Runs the tests whose names contain this text, one after another. */
export async function runTests(filter: string): Promise<void> {
  for (const test of tests) {
    if (!elsewhere.test(test.name) && test.name.includes(filter)) await report(await failuresOf(test));
  }
  await end();
}
