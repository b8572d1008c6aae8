/**
 * Whether a backend computes what the reference does, on the spot: drivers that compute wrongly are known.
 *
 * @module
 */
import { rwkvBlocks } from "../layers/rwkv_blocks.ts";
import { randomSource } from "../random.ts";
import type { Backend, Floats, Tensor } from "../tensor.ts";
import { sizeOf } from "../tree.ts";
import { createReference } from "./reference/mod.ts";

/**
 * One small case of each operation that a model's forward pass is made of, at sizes that are no multiple of a vector, and
 * of the two ways in which a GPU goes about some: few rows and many, few steps and so many that time is cut into chunks.
 */
function outputs(backend: Backend): Tensor[] {
  const random = randomSource(1);
  const draw = (...shape: number[]) =>
    backend.upload(Float32Array.from({ length: sizeOf(shape) }, () => random.normal()), shape);
  const batch = 2, time = 5, channels = 14;
  const vector = () => draw(channels);
  const sequence = () => draw(batch, time, channels);
  const x = sequence();
  const shifted = backend.shiftTime(x, draw(batch, channels));
  const mixed = backend.mix(backend.layerNorm(x, vector(), vector(), 1e-5), shifted, vector());
  const key = backend.linear(mixed, draw(channels, channels), null);
  const wkvState = backend.upload(
    Float32Array.from(
      { length: batch * 4 * channels },
      (_, i) => [1, 2, 0.5, 3][Math.floor(i / channels) % 4],
    ),
    [batch, 4, channels],
  );
  const [scanned] = backend.wkv(backend.negativeExp(vector()), vector(), key, sequence(), wkvState);
  const long = 300;
  const [scannedLong] = backend.wkv(
    backend.upload([-0.5, -2, -0.01], [3]),
    draw(3),
    draw(1, long, 3),
    draw(1, long, 3),
    backend.upload([0, 0, 0, 0, 0, 0, -1e38, -1e38, -1e38, 0, 0, 0], [1, 4, 3]),
  );
  const past = backend.appendTime(backend.reserveTime(batch, 0, channels), sequence());
  const keys = backend.appendTime(past, key);
  const turned = backend.rotary(x, 1, 3, 10_000);
  const [hidden] = backend.lstmRecurrence(
    draw(batch, time, 4 * channels),
    draw(4 * channels, channels),
    draw(batch, channels),
    draw(batch, channels),
  );
  // By the layers, because a backend may have it in one call instead of the operations above.
  const square = () => draw(channels, channels);
  const ratios = { mixK: vector(), mixV: vector(), mixR: vector() };
  const squares = { key: square(), value: square(), receptance: square(), output: square() };
  const features = { key: draw(9, channels), receptance: square(), value: draw(channels, 9) };
  const block = () => ({
    ln1: { weight: vector(), bias: vector() },
    timeMix: { ...ratios, ...squares, decay: vector(), bonus: vector() },
    ln2: { weight: vector(), bias: vector() },
    channelMix: { mixK: vector(), mixR: vector(), ...features },
  });
  const blockState = () => ({
    timeMix: { shift: draw(batch, channels), wkv: wkvState },
    channelMix: { shift: draw(batch, channels) },
  });
  const blocks = rwkvBlocks([block(), block()], x, [blockState(), blockState()]);
  return [
    blocks.y,
    blocks.states[1].timeMix.wkv,
    backend.multiply(backend.sigmoid(x), backend.squaredRelu(x)),
    backend.add(backend.gelu(x), backend.tanh(x)),
    backend.softmax(key),
    backend.linear(backend.lastStep(x), draw(channels, channels), null),
    backend.sample(key, null, 0.8, 9, 0.9, 7, 1),
    scanned,
    scannedLong,
    backend.attention(turned, keys, keys, 7),
    hidden,
    backend.embedding(backend.upload([0, 4, 2], [1, 3]), draw(5, channels)),
  ];
}

/**
 * Runs the operations on a backend and compares with the float64 reference.
 *
 * @throws {Error} that names the largest error where it is above 1e-4 of an output's scale
 */
export async function selfCheck(backend: Backend): Promise<void> {
  const exact = createReference({ precision: "float64" });
  const actual = backend.scope(() => outputs(backend));
  try {
    const expected = outputs(exact);
    const numbers = await Promise.all(actual.map((tensor) => backend.download(tensor)));
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

/** The largest error, over the largest value; NaN where one is NaN. */
function relativeError(actual: Floats, expected: Floats): number {
  let scale = 0, error = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]));
    error = Math.max(error, Math.abs(actual[i] - expected[i]));
  }
  return error / scale;
}
