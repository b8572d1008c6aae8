import { assert, assertEquals, assertRejects } from "@std/assert";
import { type BackendName, createBackend, read, sigmoid, tensor } from "@seqmix/seqmix";
import { engineOf } from "../../src/engine.ts";
import { attentionOp } from "../../src/ops/attention/mod.ts";
import { sigmoidOp } from "../../src/ops/elementwise/mod.ts";
import { linearOp } from "../../src/ops/linear/mod.ts";
import { lstmRecurrenceOp } from "../../src/ops/lstm/mod.ts";
import { sampleOp } from "../../src/ops/sample/mod.ts";
import { shiftTimeOp } from "../../src/ops/shift_time/mod.ts";
import { wkvOp } from "../../src/ops/wkv/mod.ts";
import { assertNear, testFailures, wrong } from "../helpers.ts";
import { describeAdapter, isSoftware } from "../../src/backends/webgpu/adapter.ts";
import { selfCheck } from "../../src/backends/self_check.ts";
import { backends } from "../backends.ts";

const adapter = await navigator.gpu?.requestAdapter();

/** The name of the chosen backend, and the reported lines. */
async function decide(prefer?: readonly BackendName[]) {
  const lines: string[] = [];
  using backend = await createBackend({ prefer, onDecision: (line) => lines.push(line) });
  assertNear(await read(sigmoid(tensor([0, 100], [2], backend))), [0.5, 1], 1e-6);
  return { name: backend.name, lines };
}

Deno.test("createBackend() returns the first backend of the list that works, and reports it", async () => {
  assertEquals(await decide(["wasm", "webgpu"]), {
    name: "wasm",
    lines: ["wasm taken: it agrees with the reference"],
  });
  assertEquals((await decide(["reference", "wasm"])).name, "reference");
});

Deno.test("createBackend() prefers a real GPU to WebAssembly, and that to a software adapter", async () => {
  const { name, lines } = await decide();
  const isReal = adapter && !isSoftware(adapter.info);
  assertEquals(name, isReal ? "webgpu" : "wasm");
  if (isReal) return;
  const reason = adapter
    ? `webgpu left out: Cannot prefer webgpu: its adapter must be a GPU, current adapter is software (${
      describeAdapter(adapter.info)
    })`
    : "webgpu left out: Cannot create webgpu: ";
  assert(lines[0].startsWith(reason), lines[0]);
  assertEquals(lines.slice(1), ["wasm taken: it agrees with the reference"]);
});

Deno.test({
  name: "createBackend() accepts a software adapter at the end of the list, and names it",
  ignore: !adapter,
  async fn() {
    const { name, lines } = await decide(["webgpu"]);
    assertEquals(name, "webgpu");
    assertEquals(lines, [`webgpu taken: it agrees with the reference on ${describeAdapter(adapter!.info)}`]);
  },
});

Deno.test("createBackend() continues without WebGPU, and gives all reasons if no backend is left", async () => {
  const gpu = Object.getOwnPropertyDescriptor(Navigator.prototype, "gpu")!;
  Object.defineProperty(Navigator.prototype, "gpu", { configurable: true, value: undefined });
  try {
    const reason = "Cannot create webgpu: the runtime must have WebGPU, current runtime has no navigator.gpu";
    assertEquals(await decide(["webgpu", "reference"]), {
      name: "reference",
      lines: [`webgpu left out: ${reason}`, "reference taken: it agrees with the reference"],
    });
    await assertRejects(
      () => createBackend({ prefer: ["webgpu"] }),
      Error,
      `Cannot create backend: one must work, current reasons are: webgpu left out: ${reason}`,
    );
  } finally {
    Object.defineProperty(Navigator.prototype, "gpu", gpu);
  }
});

for (const { name, create } of backends) {
  Deno.test(`createBackend() refuses ${name} if an operation of it were wrong`, async () => {
    for (const wrong of [wkvOp, attentionOp, sampleOp, lstmRecurrenceOp, linearOp, shiftTimeOp]) {
      using backend = engineOf(await create());
      await selfCheck(backend);
      assertEquals(backend.memory().bytes, 0);
      const right = backend.run.bind(backend);
      backend.run = (operation, ...args) => {
        const [y, ...rest] = right(operation, ...args);
        return operation === wrong ? [...right(sigmoidOp, [y], []), ...rest] : [y, ...rest];
      };
      await assertRejects(
        () => selfCheck(backend),
        Error,
        `Cannot trust ${backend.name}: its results must be within 1e-4 of the reference, current error is`,
      );
      assertEquals(backend.memory().bytes, 0);
    }
  });
}

testFailures("createBackend()", [
  [
    "an unknown name",
    () => createBackend({ prefer: ["wasm", wrong("cuda")] }),
    TypeError,
    'Cannot create backend: prefer must be a list of at least one of webgpu, wasm, reference, current prefer is ["wasm", "cuda"]',
  ],
  [
    "an empty list",
    () => createBackend({ prefer: [] }),
    TypeError,
    "Cannot create backend: prefer must be a list of at least one of webgpu, wasm, reference, current prefer is []",
  ],
  [
    "no list",
    () => createBackend({ prefer: wrong("wasm") }),
    TypeError,
    'Cannot create backend: prefer must be a list of at least one of webgpu, wasm, reference, current prefer is "wasm"',
  ],
]);
