/** A user's worker script with a single loss. */
import { provideLosses } from "@seqmix/seqmix/worker";
import { squaredError } from "./own_losses.ts";

provideLosses({ squaredError });
