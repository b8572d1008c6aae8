/**
 * The gradients of every layer and model. Those of a sequence in pieces, with the gradient passed through the state,
 * are those of the whole sequence; and every backend agrees with the float64 reference.
 */
import { type Backend, createReference, readFloat64, type Tensor, tensor } from "@seqmix/seqmix";
import { vjp } from "../../src/autodiff/mod.ts";
import { randomSource } from "../../src/random.ts";
import { tensorsOf } from "../../src/tree.ts";
import { backends } from "../backends.ts";
import { assertNear, normal } from "../helpers.ts";
import { type Mixer, mixers } from "../mixers.ts";

interface Both {
  readonly params: unknown;
  readonly state: unknown;
}

const batch = 2, time = 11, cut = 4;

/** Normally distributed gradients of y, the same on every backend. */
function seedsOf(shape: readonly number[], seed: number, backend: Backend): Tensor {
  return tensor(normal(randomSource(seed), shape).data, shape, backend);
}

async function start(mixer: Mixer, backend: Backend): Promise<Both> {
  const params = await mixer.make(3, backend);
  // After some steps, so that no state is 0.
  const { state } = mixer.run(params, mixer.sequences(4, batch, 3), mixer.state(params, batch), backend);
  return { params, state };
}

const x = (mixer: Mixer) => mixer.sequences(5, batch, time);
const widthOf = (mixer: Mixer, both: Both, backend: Backend) =>
  mixer.run(both.params, x(mixer), both.state, backend).y.shape[2];

/** Gradients of params and state, for a sequence in one piece. */
async function whole(mixer: Mixer, both: Both, backend: Backend): Promise<Float64Array[]> {
  const width = widthOf(mixer, both, backend);
  const seed = seedsOf([batch, time, width], 6, backend);
  const { grads } = vjp(
    ({ params, state }: Both) => [mixer.run(params, x(mixer), state, backend).y],
    both,
    [seed],
  );
  return await numbersOf(grads);
}

/**
 * The same in two pieces, each differentiated separately: the first is given the gradient of the state in between.
 */
async function pieces(mixer: Mixer, both: Both, backend: Backend): Promise<Float64Array[]> {
  const width = widthOf(mixer, both, backend);
  const { data } = normal(randomSource(6), [batch, time, width]);
  const part = (from: number, to: number) => {
    const rows = Array.from(
      { length: batch },
      (_, b) => data.subarray((b * time + from) * width, (b * time + to) * width),
    );
    return tensor(rows.flatMap((row) => [...row]), [batch, to - from, width], backend);
  };
  const sequence = x(mixer);
  const first = sequence.map((steps) => steps.slice(0, cut)),
    rest = sequence.map((steps) => steps.slice(cut));
  const between = mixer.run(both.params, first, both.state, backend).state;
  const later = vjp(
    ({ params, state }: Both) => [mixer.run(params, rest, state, backend).y],
    { params: both.params, state: between },
    [part(cut, time)],
  ).grads;
  const earlier = vjp(
    ({ params, state }: Both) => {
      const next = mixer.run(params, first, state, backend);
      return [next.y, ...tensorsOf(next.state)];
    },
    both,
    [part(0, cut), ...tensorsOf(later.state)],
  ).grads;
  const laterParams = await numbersOf(later.params), earlierParams = await numbersOf(earlier.params);
  const sums = earlierParams.map((grad, i) => grad.map((value, at) => value + laterParams[i][at]));
  return [...sums, ...await numbersOf(earlier.state)];
}

async function numbersOf(tree: unknown): Promise<Float64Array[]> {
  const numbers = [];
  for (const t of tensorsOf(tree)) numbers.push(await readFloat64(t));
  return numbers;
}

for (const mixer of mixers) {
  Deno.test(`the gradient of ${mixer.name} in pieces, through the state, is that of the whole sequence`, async () => {
    using backend = createReference({ precision: "float64" });
    const both = await start(mixer, backend);
    const expected = await whole(mixer, both, backend), actual = await pieces(mixer, both, backend);
    // A gradient that is 0 except for rounding is compared relative to the others in its tree.
    const scale = expected.flatMap((grad) => [...grad]).reduce(
      (most, value) => Math.max(most, Math.abs(value)),
      0,
    );
    expected.forEach((grad, i) =>
      assertNear([...actual[i], scale], [...grad, scale], 1e-10, `gradient ${i}`)
    );
  });

  for (const { name: on, create } of backends) {
    Deno.test(`the gradient of ${mixer.name} on ${on} equals the float64 reference's`, async () => {
      using exact = createReference({ precision: "float64" });
      using backend = await create();
      const expected = await whole(mixer, await start(mixer, exact), exact);
      const actual = await whole(mixer, await start(mixer, backend), backend);
      expected.forEach((grad, i) => assertNear(actual[i], grad, mixer.steep ? 1e-3 : 1e-4, `gradient ${i}`));
    });
  }
}
