/**
 * The law that every mixer obeys: f(x1 ++ x2, s) = f(x1, s) then f(x2, s'). The same code checks it for every layer and
 * every model, on every backend.
 */
import { assertEquals } from "@std/assert";
import { type Backend, createReference, readFloat64, type Tensor } from "@seqmix/seqmix";
import fc from "fast-check";
import { tensorsOf } from "../src/tree.ts";
import { backends } from "./backends.ts";
import { assertClose, type Mixer, mixers, type Sequences } from "./mixers.ts";

const places = [
  {
    name: "reference in float64",
    create: () => createReference({ precision: "float64" }),
    tolerance: 1e-12,
    steepTolerance: 1e-12,
  },
  ...backends.map((backend) => ({ ...backend, tolerance: 1e-5, steepTolerance: 1e-4 })),
];

const runs = 25;

/** Registers a property of every mixer on every backend. */
function law(
  criterion: string,
  check: (mixer: Mixer, backend: Backend, tolerance: number) => Promise<void>,
): void {
  for (const { name, create, tolerance, steepTolerance } of places) {
    for (const mixer of mixers) {
      Deno.test(`${mixer.name} ${criterion}, on ${name}`, async () => {
        using backend = await create();
        await check(mixer, backend, mixer.steep ? steepTolerance : tolerance);
      });
    }
  }
}

const seeds = fc.nat(2 ** 31);
const batches = fc.integer({ min: 1, max: 3 });
/** A length, and where to cut it: at a few places, or everywhere. */
const cutLengths = fc.integer({ min: 1, max: 40 }).chain((length) =>
  fc.oneof(
    fc.constant(Array.from({ length }, () => 1)),
    fc.uniqueArray(fc.integer({ min: 1, max: length }), { maxLength: 6 }).map((cuts) => {
      const ends = [...new Set([...cuts, length])].sort((a, b) => a - b);
      return ends.map((end, i) => end - (ends[i - 1] ?? 0));
    }),
  )
);

law("splitting a sequence anywhere changes nothing", async (mixer, backend, tolerance) => {
  await fc.assert(
    fc.asyncProperty(
      seeds,
      batches,
      fc.integer({ min: 1, max: 5 }),
      cutLengths,
      async (seed, batch, before, lengths) => {
        const params = await mixer.make(seed, backend);
        const sequences = (salt: number, time: number) => mixer.sequences(seed + salt, batch, time);
        const run = (x: Sequences, state: unknown) => mixer.run(params, x, state, backend);

        const start = run(sequences(1, before), mixer.state(params, batch)).state;
        const time = lengths.reduce((sum, length) => sum + length);
        const x = sequences(2, time), next = sequences(3, 3);
        const whole = run(x, start);

        const pieces: Tensor[] = [];
        let state = start, from = 0;
        for (const length of lengths) {
          const piece = run(x.map((row) => row.slice(from, from += length)), state);
          pieces.push(piece.y);
          state = piece.state;
        }

        assertClose(await joinTime(pieces), await joinTime([whole.y]), tolerance);
        // States are compared by what follows from them: those of wkv may differ in form.
        const afterPieces = run(next, state), afterWhole = run(next, whole.state);
        assertClose(await joinTime([afterPieces.y]), await joinTime([afterWhole.y]), tolerance);
        assertEquals(shapes(state), shapes(whole.state));
        backend.free([params, start, whole, pieces, state, afterPieces, afterWhole]);
      },
    ),
    { numRuns: runs },
  );
});

law("state matters", async (mixer, backend) => {
  const params = await mixer.make(1, backend);
  const fresh = mixer.state(params, 2);
  const { state } = mixer.run(params, mixer.sequences(2, 2, 4), fresh, backend);
  const x = mixer.sequences(3, 2, 3);
  const one = await joinTime([mixer.run(params, x, fresh, backend).y]);
  const other = await joinTime([mixer.run(params, x, state, backend).y]);
  const scale = Math.max(...one.flat().map(Math.abs));
  const change = Math.max(...one.flat().map((value, i) => Math.abs(value - other.flat()[i])));
  assertEquals(change > 0.01 * scale, true, `changed by ${change} of ${scale}`);
});

/** Goes on from some state that is held, by some steps, and then perhaps frees one. */
const moves = fc.array(
  fc.record({
    from: fc.nat(),
    steps: fc.integer({ min: 1, max: 6 }),
    free: fc.option(fc.nat(), { nil: undefined }),
  }),
  { minLength: 2, maxLength: 10 },
);

law("any kept state can be gone on from, in any order", async (mixer, backend, tolerance) => {
  await fc.assert(
    fc.asyncProperty(seeds, batches, moves, async (seed, batch, moves) => {
      const params = await mixer.make(seed, backend);
      const { bytes } = backend.memory();
      const begin = mixer.state(params, batch);
      const empty: Sequences = Array.from({ length: batch }, () => []);
      const held = [{ state: begin, history: empty, values: await values(begin) }];

      for (const [i, { from, steps, free }] of moves.entries()) {
        const { state, history } = held[from % held.length];
        const x = mixer.sequences(seed + i, batch, steps);
        const next = mixer.run(params, x, state, backend);

        const all = history.map((row, b) => [...row, ...x[b]]);
        const anew = mixer.state(params, batch);
        const fresh = mixer.run(params, all, anew, backend);
        const expected = (await joinTime([fresh.y])).map((row) =>
          row.slice(row.length / all[0].length * -steps)
        );
        assertClose(await joinTime([next.y]), expected, tolerance);

        held.push({ state: next.state, history: all, values: await values(next.state) });
        backend.free([anew, fresh, next.y]);
        if (free !== undefined) {
          const [freed] = held.splice(free % held.length, 1);
          if (held.length > 0) backend.free(freed.state);
          else held.push(freed);
        }
      }

      for (const { state, values: before } of held) assertEquals(await values(state), before);
      backend.free(held.map(({ state }) => state));
      assertEquals(backend.memory().bytes, bytes);
      backend.free(params);
    }),
    { numRuns: runs },
  );
});

law("in float32 comes to what it comes to in float64", async (mixer, backend, tolerance) => {
  using exact = createReference({ precision: "float64" });
  for (let seed = 1; seed <= 5; seed++) {
    const x = mixer.sequences(seed, 2, 37);
    const y = await Promise.all([backend, exact].map(async (place) => {
      const params = await mixer.make(seed, place);
      return await joinTime([mixer.run(params, x, mixer.state(params, 2), place).y]);
    }));
    assertClose(y[0], y[1], tolerance);
  }
});

/** The sequences of `[B, T, C]` tensors joined along time, a list of numbers a sequence. */
async function joinTime(parts: readonly Tensor[]): Promise<number[][]> {
  const read = await Promise.all(parts.map(readFloat64));
  const [batch] = parts[0].shape;
  return Array.from({ length: batch }, (_, b) =>
    read.flatMap((values) => {
      const size = values.length / batch;
      return [...values.subarray(b * size, (b + 1) * size)];
    }));
}

function values(tree: unknown): Promise<Float64Array[]> {
  return Promise.all(tensorsOf(tree).map(readFloat64));
}

function shapes(tree: unknown) {
  return tensorsOf(tree).map(({ shape }) => shape);
}
