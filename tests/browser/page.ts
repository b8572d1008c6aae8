/** In the page: runs the tests that the bundle has registered. */
import { failuresOf, tests } from "./deno_in_page.ts";

/** What the page is given by who drives it. */
declare function report(failures: readonly string[]): Promise<void>;
declare function end(): Promise<void>;

/**
 * Plain TypeScript is the same in every runtime, and drawn cases by the thousand, or loops as long as another driver lets them
 * be, would take minutes on software.
 */
const elsewhere = new RegExp([
  "on (reference|the float64 reference|wasm, baseline)",
  ...["splitting a sequence", "any kept state", "what a dispatch or a loop can hold", "any number of"],
].join("|"));

/** Runs, one after another, those whose name has this part in it. */
export async function runTests(filter: string): Promise<void> {
  for (const test of tests) {
    if (!elsewhere.test(test.name) && test.name.includes(filter)) await report(await failuresOf(test));
  }
  await end();
}
