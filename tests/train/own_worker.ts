/** A user's worker script with a user-written model. */
import { provideModels } from "@seqmix/seqmix/worker";
import { bigram } from "./own_model.ts";

provideModels(bigram);
