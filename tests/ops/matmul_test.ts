import { matmulCases } from "./cases/matmul.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("matmul()", matmulCases);
