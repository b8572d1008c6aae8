/** A worker of a user's own, with nothing of theirs. */
import "@seqmix/seqmix/worker";
