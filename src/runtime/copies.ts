/**
 * Removes recorded calls that only copy: tensors never change, so a copy can be replaced by its source.
 *
 * @module
 */
import type { Call, Slot } from "./recording.ts";

/** The kernels that write to a part of their output, or to memory that is already filled: which argument that is. */
const partly: Readonly<Record<string, number>> = { adamW: 3, copyRows: 0, norm: 0 };

/** A call that copies a whole slot to another. */
interface Copy {
  readonly to: Slot;
  readonly from: Slot;
}

/** What a call copies; null if it does anything else. */
function copyOf({ kernel, args }: Call): Copy | null {
  if (kernel === "copyRows") {
    const [to, toStart, toStride, from, fromStart, fromStride, rows, width] = args;
    const isDense = rows === 1 || toStride === width && fromStride === width;
    if (toStart !== 0 || fromStart !== 0 || !isDense) return null;
    const isWhole = (to as Slot).size === (rows as number) * (width as number);
    return isWhole ? { to: to as Slot, from: from as Slot } : null;
  }
  // For a single step, `shiftTime` returns the previous step and `lastStep` its input.
  if (kernel === "shiftTime" && args[4] === 1) return { to: args[0] as Slot, from: args[2] as Slot };
  if (kernel === "lastStep" && args[3] === 1) return { to: args[0] as Slot, from: args[1] as Slot };
  return null;
}

/** Returns the remaining calls. `results` are the slots whose memory is the function's result. */
export function withoutCopies(calls: readonly Call[], results: ReadonlySet<Slot>): Call[] {
  const writes = new Map<Slot, number>();
  for (const { kernel, args } of calls) {
    if (!(kernel in partly)) continue;
    const slot = args[partly[kernel]] as Slot;
    writes.set(slot, (writes.get(slot) ?? 0) + 1);
  }
  const same = new Map<Slot, Slot>();
  const now = (slot: Slot): Slot => {
    const other = same.get(slot);
    return other === undefined ? slot : now(other);
  };
  /** Replaces a slot by another for its whole lifetime. */
  const join = (slot: Slot, other: Slot) => {
    same.set(slot, other);
    other.releasedAt = Math.max(other.releasedAt, slot.releasedAt);
    other.madeAt = Math.min(other.madeAt, slot.madeAt);
  };
  const left = calls.filter((call) => {
    const copy = copyOf(call);
    if (copy === null) return true;
    const to = now(copy.to), from = now(copy.from);
    const parts = writes.get(copy.to) ?? 0;
    if (to.kind !== "made" || parts > (call.kernel === "copyRows" ? 1 : 0)) return true;
    if (!results.has(to)) join(to, from);
    // A value that is copied into a result is computed in the result, unless it is the caller's or another result.
    else if (from.kind === "made" && !results.has(from) && from.size === to.size && !writes.has(from)) {
      join(from, to);
    } else return true;
    return false;
  });
  return left.map(({ kernel, args }) => ({
    kernel,
    args: args.map((arg) => typeof arg === "object" && arg !== null ? now(arg) : arg),
  }));
}
