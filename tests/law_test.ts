/**
 * The law that every mixer obeys: f(x1 ++ x2, s) = f(x1, s) and then f(x2, s'). The same code checks it for every
 * layer and every model, on every backend.
 */
import { assert, assertEquals } from "@std/assert";
import { type Backend, createReference, readFloat64, type Tensor } from "@seqmix/seqmix";
import fc from "fast-check";
import { tensorsOf } from "../src/tree.ts";
import { backends } from "./backends.ts";
import { assertNear, relativeError } from "./helpers.ts";
import { type Mixer, mixers, type Sequences } from "./mixers.ts";

const places = [
  {
    name: "reference in float64",
    create: () => createReference({ precision: "float64" }),
    tolerance: 1e-12,
    steepTolerance: 1e-12,
  },
  ...backends.map((backend) => ({ ...backend, tolerance: 1e-5, steepTolerance: 1e-4 })),
];

/** Fewer where a software driver may stand in for the GPU, since every read takes long. */
const optionsOn = ({ name }: Backend) => ({ numRuns: name === "webgpu" ? 5 : 20 });

/** Registers a test of every mixer on every backend. */
function law(
  criterion: string,
  check: (mixer: Mixer, backend: Backend, tolerance: number) => Promise<void>,
): void {
  for (const { name, create, tolerance, steepTolerance } of places) {
    for (const mixer of mixers) {
      Deno.test(`${mixer.name} ${criterion} on ${name}`, async () => {
        using backend = await create();
        await check(mixer, backend, mixer.steep ? steepTolerance : tolerance);
      });
    }
  }
}

const seeds = fc.nat(2 ** 31);
const batchSizes = fc.integer({ min: 1, max: 3 });

/** The lengths of a sequence's pieces: cut at a few places, or at every step. */
const pieceLengths = fc.integer({ min: 1, max: 40 }).chain((time) =>
  fc.oneof(
    fc.constant(Array.from({ length: time }, () => 1)),
    fc.uniqueArray(fc.integer({ min: 1, max: time }), { maxLength: 6 }).map((cuts) => {
      const ends = [...new Set([...cuts, time])].sort((a, b) => a - b);
      return ends.map((end, i) => end - (ends[i - 1] ?? 0));
    }),
  )
);

law("splitting a sequence anywhere changes nothing", async (mixer, backend, tolerance) => {
  const prefixes = fc.integer({ min: 1, max: 5 });
  const check = async (seed: number, batch: number, prefix: number, lengths: readonly number[]) => {
    const params = await mixer.make(seed, backend);
    const run = (x: Sequences, state: unknown) => mixer.run(params, x, state, backend);
    const start = run(mixer.sequences(seed + 1, batch, prefix), mixer.state(params, batch)).state;
    const x = mixer.sequences(seed + 2, batch, lengths.reduce((sum, length) => sum + length));
    const whole = run(x, start);

    const pieces: Tensor[] = [];
    let state = start, from = 0;
    for (const length of lengths) {
      const piece = run(x.map((sequence) => sequence.slice(from, from + length)), state);
      pieces.push(piece.y);
      state = piece.state;
      from += length;
    }
    assertNear(await joinTime(pieces), await joinTime([whole.y]), tolerance, "pieces and whole");

    // States are compared by the outputs that follow from them, since different wkv states may be equivalent.
    const next = mixer.sequences(seed + 3, batch, 3);
    const afterPieces = run(next, state), afterWhole = run(next, whole.state);
    assertNear(await joinTime([afterPieces.y]), await joinTime([afterWhole.y]), tolerance, "states");
    assertEquals(shapesOf(state), shapesOf(whole.state));
    backend.free([params, start, whole, pieces, state, afterPieces, afterWhole]);
  };
  await fc.assert(fc.asyncProperty(seeds, batchSizes, prefixes, pieceLengths, check), optionsOn(backend));
});

/** Continues from one of the kept states, and may free one. */
interface Move {
  readonly from: number;
  readonly steps: number;
  readonly free?: number;
}

const moveLists: fc.Arbitrary<Move[]> = fc.array(
  fc.record({
    from: fc.nat(),
    steps: fc.integer({ min: 1, max: 6 }),
    free: fc.option(fc.nat(), { nil: undefined }),
  }),
  { minLength: 2, maxLength: 10 },
);

law("any kept state can be gone on from, in any order,", async (mixer, backend, tolerance) => {
  const check = async (seed: number, batch: number, moves: readonly Move[]) => {
    const params = await mixer.make(seed, backend);
    const { bytes } = backend.memory();
    const begin = mixer.state(params, batch);
    const unread: Sequences = Array.from({ length: batch }, () => []);
    const held = [{ state: begin, history: unread, values: await valuesOf(begin) }];

    for (const [i, { from, steps, free }] of moves.entries()) {
      const { state, history } = held[from % held.length];
      const x = mixer.sequences(seed + i, batch, steps);
      const next = mixer.run(params, x, state, backend);

      const all = history.map((sequence, b) => [...sequence, ...x[b]]);
      const anew = mixer.state(params, batch);
      const fresh = mixer.run(params, all, anew, backend);
      assertNear(await joinTime([next.y]), await joinTime([fresh.y], steps), tolerance, "going on and anew");

      held.push({ state: next.state, history: all, values: await valuesOf(next.state) });
      backend.free([anew, fresh, next.y]);
      if (free !== undefined) backend.free(held.splice(free % held.length, 1)[0].state);
    }

    for (const { state, values } of held) assertEquals(await valuesOf(state), values);
    backend.free(held.map(({ state }) => state));
    assertEquals(backend.memory().bytes, bytes);
    backend.free(params);
  };
  await fc.assert(fc.asyncProperty(seeds, batchSizes, moveLists, check), optionsOn(backend));
});

law("state changes what comes out", async (mixer, backend) => {
  const params = await mixer.make(1, backend);
  const fresh = mixer.state(params, 2);
  const { state } = mixer.run(params, mixer.sequences(2, 2, 4), fresh, backend);
  const x = mixer.sequences(3, 2, 3);
  const [one, other] = await Promise.all(
    [fresh, state].map((from) => joinTime([mixer.run(params, x, from, backend).y])),
  );
  const change = relativeError(other, one);
  assert(change > 0.01, `changed by ${change} of the scale`);
});

law("comes to what it comes to in float64", async (mixer, backend, tolerance) => {
  using exact = createReference({ precision: "float64" });
  for (let seed = 1; seed <= 5; seed++) {
    const x = mixer.sequences(seed, 2, 37);
    const [actual, expected] = await Promise.all([backend, exact].map(async (place) => {
      const params = await mixer.make(seed, place);
      return await joinTime([mixer.run(params, x, mixer.state(params, 2), place).y]);
    }));
    assertNear(actual, expected, tolerance);
  }
});

/** Joins parts `[B, T, C]` along time, or the last steps of them; the numbers are row-major. */
async function joinTime(parts: readonly Tensor[], steps = Infinity): Promise<number[]> {
  const read = await Promise.all(parts.map(readFloat64));
  const [batch] = parts[0].shape, channels = parts[0].shape[2];
  return Array.from({ length: batch }, (_, b) =>
    read.flatMap((values) => {
      const size = values.length / batch;
      return [...values.subarray(Math.max(b * size, (b + 1) * size - steps * channels), (b + 1) * size)];
    })).flat();
}

function valuesOf(tree: unknown): Promise<Float64Array[]> {
  return Promise.all(tensorsOf(tree).map(readFloat64));
}

function shapesOf(tree: unknown) {
  return tensorsOf(tree).map(({ shape }) => shape);
}
