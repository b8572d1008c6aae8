/** A user's worker script with user-written losses. */
import { provideLosses } from "@seqmix/seqmix/worker";
import noisyError, { squaredError } from "./own_losses.ts";

provideLosses({ squaredError, noisyError });
