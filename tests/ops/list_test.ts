/** Properties of all operations, from their declarations. */
import { assert, assertEquals } from "@std/assert";
import { operations } from "../../src/ops/list.ts";
import { declaredCases } from "./cases/declared.ts";
import { tables } from "./cases/mod.ts";
import { runOnAll } from "./run_on_all.ts";

// An update writes to its overflows, and has cases of its own.
for (const [name, cases] of Object.entries(declaredCases(({ name }) => name !== "adamW"))) {
  runOnAll(name, cases);
}

Deno.test("every differentiable operation has cases of its own", () => {
  const without = operations.filter(({ name, gradient }) =>
    gradient !== "constant" && gradient !== "none" && tables[name] === undefined
  );
  assertEquals(without.map(({ name }) => name), ["concatBatch", "sliceBatch"], "these have stackStates()'s");
});

Deno.test("every operation has a unique name", () => {
  assert(new Set(operations.map(({ name }) => name)).size === operations.length);
});
