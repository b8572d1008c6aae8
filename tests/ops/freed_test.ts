/** The errors of operations on a freed tensor. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  add,
  clipByGlobalNorm,
  compile,
  read,
  sliceState,
  squaredNorm,
  stackStates,
  tensor,
} from "@seqmix/seqmix";
import { run } from "../../src/compute.ts";
import { exampleOf } from "../../src/ops/example.ts";
import { operations } from "../../src/ops/list.ts";
import type { Operation } from "../../src/operation.ts";
import { randomSource } from "../../src/random.ts";
import { showShape } from "../../src/check.ts";
import { testOnAll } from "../helpers.ts";

testOnAll("every operation refuses a freed tensor with a message", (backend) => {
  for (const operation of operations as readonly Operation[]) {
    if (operation.compute !== null) continue;
    const { inputs, constants } = exampleOf(operation.declaration, randomSource(1), false);
    inputs.forEach((_, dead) => {
      if (!operation.plan.inputs[dead].read) return;
      const tensors = inputs.map(({ data, shape }) => tensor(data, shape, backend));
      backend.free(tensors[dead]);
      const { bytes } = backend.memory();
      assertThrows(
        () => run(operation, tensors, constants),
        TypeError,
        `Cannot ${operation.action}: tensor must be alive, current tensor of shape ${
          showShape(tensors[dead].shape)
        } on ${backend.name} was freed`,
      );
      assertEquals(backend.memory().bytes, bytes, operation.name);
      backend.free(tensors);
    });
  }
});

testOnAll("functions that are not one kernel call refuse it too", async (backend) => {
  const x = tensor([1, 2], [1, 2], backend), y = tensor([1, 2], [1, 2], backend);
  const step = compile((x: typeof y) => add(x, y));
  backend.free(step(x));
  backend.free(y);
  const calls: readonly (readonly [string, () => unknown])[] = [
    ["stack states", () => stackStates([x, y])],
    ["slice state", () => sliceState(y, 0)],
    ["take norm", () => squaredNorm([x, y])],
    ["take norm", () => clipByGlobalNorm([x, y], 1)],
    ["run compiled function", () => step(x)],
  ];
  const { bytes } = backend.memory();
  for (const [action, call] of calls) {
    assertThrows(
      call,
      TypeError,
      `Cannot ${action}: tensor must be alive, current tensor of shape [1, 2] on `,
    );
    assertEquals(backend.memory().bytes, bytes, action);
  }
  const error = await read(y).catch((error) => error);
  assert(error.message.startsWith("Cannot read: tensor must be alive, "));
});
