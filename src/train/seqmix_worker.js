// The script of the workers of `fit`. Bundlers, Deno, Node.js and pages find this file by its literal name in start_worker.ts.
import "./worker.ts";
