import { broadcastCases, scaleByCases } from "./cases/arithmetic.ts";
import { runOnAll } from "./run_on_all.ts";

for (const [symbol, cases] of Object.entries(broadcastCases)) runOnAll(symbol, cases);
runOnAll("scale() by a tensor", scaleByCases);
