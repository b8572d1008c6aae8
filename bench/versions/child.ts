/** A new process that times a case with the libraries of two checkouts, and prints the times as JSON. */
import { type Case, type Checkouts, compareCase } from "./compare.ts";
import { loadLibrary } from "./library.ts";

const [checkouts, timed]: [Checkouts, Case] = JSON.parse(Deno.args[0]);
const [before, now] = [await loadLibrary(checkouts.before), await loadLibrary(checkouts.now)];
console.log(JSON.stringify(await compareCase({ before, now }, timed)));
