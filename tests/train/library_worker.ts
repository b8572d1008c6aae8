/** A user's worker script without models. */
import "@seqmix/seqmix/worker";
