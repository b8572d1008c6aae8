import { pickCases, placeCases } from "./cases/pick.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("pick()", pickCases);
runOnAll("place()", placeCases);
