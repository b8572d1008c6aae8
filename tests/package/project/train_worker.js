import { provideModels } from "@seqmix/seqmix/worker";
import { bigram } from "./bigram.js";

provideModels(bigram);
