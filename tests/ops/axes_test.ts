import {
  concatCases,
  expandCases,
  reshapeCases,
  reverseCases,
  sliceCases,
  transposeCases,
} from "./cases/axes.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("reshape()", reshapeCases);
runOnAll("transpose()", transposeCases);
runOnAll("slice()", sliceCases);
runOnAll("reverse()", reverseCases);
runOnAll("expand()", expandCases);
runOnAll("concat()", concatCases);
