/** A worker of a user's own, with a model of theirs. */
import { provideModels } from "@seqmix/seqmix/worker";
import { bigram } from "./own_model.ts";

provideModels(bigram);
