// What `fit` starts a worker with: bundlers, Deno, Node.js and pages find this file by its name as it stands in start_worker.ts.
import "./worker.ts";
