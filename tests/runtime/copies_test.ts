import { assertEquals } from "@std/assert";
import { withoutCopies } from "../../src/runtime/copies.ts";
import type { Call, KernelArgument, Slot } from "../../src/runtime/recording.ts";

function slotsOf(...kinds: Slot["kind"][]): Slot[] {
  return kinds.map((kind, index): Slot => ({ index, size: 6, kind, madeAt: index, releasedAt: index + 1 }));
}

const call = (kernel: string, ...args: KernelArgument[]): Call => ({ kernel, args });

/** The calls, with slots as numbers. */
const shown = (calls: readonly Call[]) =>
  calls.map((
    { kernel, args },
  ) => [kernel, ...args.map((arg) => typeof arg === "object" ? `s${arg?.index}` : arg)]);

Deno.test("withoutCopies() reads the source of a copy instead, for the lifetime of the copy", () => {
  const [given, copy, y] = slotsOf("argument", "made", "made");
  const calls = [call("shiftTime", copy, y, given, 1, 1, 6), call("tanh", y, copy, 6)];
  assertEquals(shown(withoutCopies(calls, new Set([y]))), [["tanh", "s2", "s0", 6]]);
  const [x, part, z, from] = slotsOf("made", "made", "made", "argument");
  part.releasedAt = 9;
  const more = [call("tanh", x, from, 6), call("lastStep", part, x, 1, 1, 6), call("tanh", z, part, 6)];
  assertEquals(shown(withoutCopies(more, new Set([z]))), [["tanh", "s0", "s3", 6], ["tanh", "s2", "s0", 6]]);
  assertEquals(x.releasedAt, 9);
});

Deno.test("withoutCopies() computes a result in place, and keeps copies of other tensors", () => {
  const [given, x, result, other] = slotsOf("argument", "made", "made", "made");
  const calls = [
    call("tanh", x, given, 6),
    call("lastStep", result, x, 1, 1, 6),
    call("lastStep", other, given, 1, 1, 6),
  ];
  assertEquals(shown(withoutCopies(calls, new Set([result, other]))), [
    ["tanh", "s2", "s0", 6],
    ["lastStep", "s3", "s0", 1, 1, 6],
  ]);
});

Deno.test("withoutCopies() keeps calls that copy more or less than a whole slot", () => {
  const [given, y, z] = slotsOf("argument", "made", "made");
  const calls = [
    // Several steps, a part, and two parts of one output.
    call("shiftTime", y, given, given, 1, 2, 3),
    call("copyRows", z, 0, 3, given, 0, 6, 1, 3),
    call("copyRows", z, 3, 3, given, 3, 6, 1, 3),
  ];
  assertEquals(withoutCopies(calls, new Set()), calls);
});
