/**
 * Inputs of a WKV scan of any size, and a check of its output.
 *
 * @module
 */
import { randomSource } from "@seqmix/seqmix";
import { wkv, wkvBackward } from "../../src/ops/wkv/reference.ts";
import { elementsOf, nameOf, type Shape } from "./shapes.ts";

/** The inputs, from the first step on. */
export interface Inputs {
  readonly decay: Float32Array<ArrayBuffer>;
  readonly bonus: Float32Array<ArrayBuffer>;
  readonly key: Float32Array<ArrayBuffer>;
  readonly value: Float32Array<ArrayBuffer>;
  readonly state: Float32Array<ArrayBuffer>;
  /** The gradient of y; that of the last state is 0. */
  readonly gradient: Float32Array<ArrayBuffer>;
}

/** Normally distributed keys and values. A large tensor repeats them with a prime period. */
export function makeInputs(shape: Shape): Inputs {
  const { batch, channels } = shape;
  const random = randomSource(1);
  const normal = (size: number) => {
    const numbers = Float32Array.from({ length: Math.min(size, 65_537) }, random.normal);
    const all = new Float32Array(size);
    for (let at = 0; at < size; at += numbers.length) all.set(numbers.subarray(0, size - at), at);
    return all;
  };
  const state = new Float32Array(batch * 4 * channels);
  for (let b = 0; b < batch; b++) state.fill(-1e38, (4 * b + 2) * channels, (4 * b + 3) * channels);
  return {
    decay: Float32Array.from({ length: channels }, (_, c) => -Math.exp(-6 + 8 * c / channels)),
    bonus: normal(channels),
    key: normal(elementsOf(shape)),
    value: normal(elementsOf(shape)),
    state,
    gradient: normal(elementsOf(shape)),
  };
}

/** The expected results for some channels of the last sequence, in double precision. */
function expected({ batch, length, channels }: Shape, inputs: Inputs) {
  const places = [0, channels >> 1, channels - 1];
  const pick = (data: Float32Array, rows: number, firstRow: number) =>
    Float64Array.from({ length: rows * places.length }, (_, i) => {
      const row = firstRow + Math.floor(i / places.length);
      return data[row * channels + places[i % places.length]];
    });
  const steps = (data: Float32Array) => pick(data, length, (batch - 1) * length);
  const zeros = (rows: number) => new Float64Array(rows * places.length);
  const sizes = [1, length, places.length] as const;
  const params = [pick(inputs.decay, 1, 0), pick(inputs.bonus, 1, 0)] as const;
  const given = [
    ...params,
    steps(inputs.key),
    steps(inputs.value),
    pick(inputs.state, 4, (batch - 1) * 4),
  ] as const;
  const y = zeros(length), gKey = zeros(length);
  wkv(y, zeros(4), ...given, ...sizes);
  const others = [zeros(1), zeros(1), gKey, zeros(length), zeros(4)] as const;
  wkvBackward(...others, steps(inputs.gradient), zeros(4), ...given, y, ...sizes);
  return { y, gKey, places };
}

/**
 * Checks an output, or another result, on some channels of the last sequence.
 *
 * @throws {Error} if an error exceeds 1e-4 of the largest element
 */
export function checkOutput(
  what: string,
  shape: Shape,
  inputs: Inputs,
  output: Float32Array,
  checked: "y" | "gKey" = "y",
): void {
  const { batch, length, channels } = shape;
  const wanted = expected(shape, inputs);
  let error = 0, scale = 0;
  wanted[checked].forEach((value, i) => {
    const row = (batch - 1) * length + Math.floor(i / wanted.places.length);
    // Math.max propagates NaN.
    error = Math.max(
      error,
      Math.abs(output[row * channels + wanted.places[i % wanted.places.length]] - value),
    );
    scale = Math.max(scale, Math.abs(value));
  });
  if (!(error <= 1e-4 * scale)) {
    throw new Error(
      `Cannot measure ${what} at ${
        nameOf(shape)
      }: its output must be within 1e-4 of the reference, current error is ${error / scale}`,
    );
  }
}
