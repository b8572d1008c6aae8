import { meanCases, sumCases } from "./cases/reduce.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("sum()", sumCases);
runOnAll("mean()", meanCases);
