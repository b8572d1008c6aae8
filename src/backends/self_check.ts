/**
 * Checks at run time that a backend computes what the reference does: some drivers are known to compute wrongly.
 *
 * @module
 */
import { type Engine, engineOf } from "../engine.ts";
import { appendTime } from "../ops/append_time/mod.ts";
import { attention } from "../ops/attention/mod.ts";
import { exampleOf } from "../ops/example.ts";
import { operations } from "../ops/list.ts";
import { randomSource } from "../random.ts";
import type { Backend, Floats, Tensor } from "../tensor.ts";
import { sizeOf } from "../tree.ts";
import { createReference } from "./reference/mod.ts";

/**
 * Operations that no model of the library runs, and whose shaders are made of the same parts as others: compiling them
 * would delay every start.
 */
const others: ReadonlySet<string> = new Set([
  ...["divide", "dropout", "exp", "groupNorm", "l2Normalize", "log", "meanSquaredError"],
  ...["scale", "scaleBy", "softplus", "subtract"],
]);

/** The operations of a model's forward pass: those with a kernel, and a gradient or a reason for having none. */
const checked = operations.filter(({ name, compute, gradient }) =>
  compute === null && gradient !== "none" && !others.has(name)
);

/** Runs each operation twice, and attention over a key-value cache, of several steps and of one. */
function outputs(backend: Engine): Tensor[] {
  const random = randomSource(1);
  const draw = (...shape: number[]) =>
    backend.upload(Float32Array.from({ length: sizeOf(shape) }, () => random.normal()), shape);
  const examples = checked.flatMap((operation) =>
    [false, true].flatMap((isMany) => {
      const { inputs, constants } = exampleOf(operation.declaration, random, isMany);
      return backend.run(operation, inputs.map(({ data, shape }) => backend.upload(data, shape)), constants);
    })
  );
  const batch = 2, time = 5, channels = 14;
  const sequence = () => draw(batch, time, channels);
  const past = appendTime(backend.reserveTime(batch, 0, channels), sequence());
  const keys = appendTime(past, sequence());
  const queries = [sequence(), draw(batch, 1, channels)];
  return [...examples, ...queries.map((query) => attention(query, keys, keys, 7))];
}

/**
 * Runs the operations on a backend and compares the results with the float64 reference.
 *
 * @throws {Error} with the largest error if it exceeds 1e-4 of an output's scale
 */
export async function selfCheck(backend: Backend): Promise<void> {
  const engine = engineOf(backend), exact = engineOf(createReference({ precision: "float64" }));
  const actual = backend.scope(() => outputs(engine));
  try {
    const expected = outputs(exact);
    const numbers = await Promise.all(actual.map((tensor) => engine.download(tensor)));
    for (const [i, tensor] of expected.entries()) {
      const error = relativeError(numbers[i], await exact.download(tensor));
      if (!(error <= 1e-4)) {
        throw new Error(
          `Cannot trust ${backend.name}: its results must be within 1e-4 of the reference, current error is ${error}`,
        );
      }
    }
  } finally {
    backend.free(actual);
    exact[Symbol.dispose]();
  }
}

/** The largest error, relative to the largest value; NaN if one is NaN. */
function relativeError(actual: Floats, expected: Floats): number {
  let scale = 0, error = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]));
    error = Math.max(error, Math.abs(actual[i] - expected[i]));
  }
  return error === 0 ? 0 : error / scale;
}
