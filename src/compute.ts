/**
 * Runs an operation for public functions: checks the inputs against its declaration, and computes where they live.
 *
 * @module
 */
import { backendOfAll, isSameShape, isTensor, shapeError } from "./check.ts";
import { type Engine, engineOf } from "./engine.ts";
import type { Declaration, InputCheck, Operation, Source, Tensors } from "./operation.ts";
import { shapeOf } from "./tracked_shape.ts";
import type { Tensor } from "./tensor.ts";

const none: readonly number[] = [];

/**
 * Checks the inputs of an operation and runs it on their backend.
 *
 * @throws {TypeError} on inputs of other shapes or of several backends
 */
export function compute<I extends readonly string[], O extends readonly (string | null)[]>(
  operation: Operation<Declaration<string, I, O>>,
  inputs: Tensors<I>,
  constants: readonly number[] = none,
): Tensors<O> {
  return check(operation, inputs).run(operation, inputs, constants) as readonly Tensor[] as Tensors<O>;
}

/** Runs an operation on checked inputs, all on the backend of the first. */
export function run<I extends readonly string[], O extends readonly (string | null)[]>(
  operation: Operation<Declaration<string, I, O>>,
  inputs: Tensors<I>,
  constants: readonly number[] = none,
): Tensors<O> {
  return engineOf(inputs[0]!.backend).run(operation, inputs, constants) as readonly Tensor[] as Tensors<O>;
}

/** Checks the inputs of an operation and returns the backend on which it runs. */
export function check(operation: Operation, inputs: readonly (Tensor | undefined)[]): Engine {
  checkShapes(operation, inputs);
  const { backend } = inputs[0]!;
  for (let i = 1; i < inputs.length; i++) {
    const x = inputs[i];
    if (x !== undefined && x.backend !== backend) return engineOfAll(operation, inputs);
  }
  return engineOf(backend);
}

function engineOfAll({ action, plan }: Operation, inputs: readonly (Tensor | undefined)[]): Engine {
  const given = plan.inputs.filter((_, i) => inputs[i] !== undefined).map(({ name }) => name);
  return engineOf(backendOfAll(action, given, inputs.filter((x) => x !== undefined)));
}

/** Checks that the inputs of an operation are tensors of the declared shapes. */
export function checkShapes(operation: Operation, inputs: readonly (Tensor | undefined)[]): void {
  const { checks } = operation.plan;
  for (let i = 0; i < checks.length; i++) {
    const check = checks[i], x = inputs[check.input];
    // Inputs of elementwise operations often share one shape array.
    if (check.like >= 0 && x?.shape === inputs[check.like]!.shape) continue;
    if (x === undefined && check.place.optional) continue;
    if (!fits(check, x!, inputs)) {
      throw shapeError(operation.action, check.place.name, x, expected(check, inputs));
    }
  }
}

// These run about three hundred times for each decoded token. They allocate no arrays, except to compare leading
// axes.

function fits(check: InputCheck, x: Tensor, inputs: readonly (Tensor | undefined)[]): boolean {
  if (!isTensor(x)) return false;
  const shape = shapeOf(x), { axes } = check;
  if (check.like >= 0) return isSameShape(shape, shapeOf(inputs[check.like]!));
  const before = shape.length - axes.length;
  if (before !== 0 && !(before > 0 && check.place.leading)) return false;
  if (check.leading !== null && !isSameShape(shape.slice(0, before), leadingOf(check.leading, inputs))) {
    return false;
  }
  for (let i = 0; i < axes.length; i++) {
    const source = axes[i];
    if (source !== null && shape[before + i] !== sizeAt(source, inputs)) return false;
  }
  return true;
}

function leadingOf({ input, at }: Source, inputs: readonly (Tensor | undefined)[]): readonly number[] {
  const shape = shapeOf(inputs[input]!);
  return shape.slice(0, shape.length - at);
}

function sizeAt({ input, from, at }: Source, inputs: readonly (Tensor | undefined)[]): number {
  if (from === "number") return at;
  const shape = shapeOf(inputs[input]!);
  return shape[at < 0 ? shape.length + at : at];
}

function expected(
  { like, leading, place, axes }: InputCheck,
  inputs: readonly (Tensor | undefined)[],
): readonly (number | string)[] {
  if (like >= 0) return inputs[like]!.shape;
  const sizes = axes.map((source, i) => source === null ? place.axes[i] : sizeAt(source, inputs));
  if (leading !== null) return [...leadingOf(leading, inputs), ...sizes];
  return place.leading ? ["...", ...sizes] : sizes;
}
