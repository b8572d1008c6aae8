/** The kernels with a recurrence over time that take scratch memory: all sequences at once, and backward. */
import { scratch } from "../../../src/backends/wasm/scratch.ts";
import { attention, attentionBackward } from "../../../src/ops/attention/reference.ts";
import { lstmRecurrence, lstmRecurrenceBackward } from "../../../src/ops/lstm/reference.ts";
import { wkv, wkvBackward } from "../../../src/ops/wkv/reference.ts";
import { type Argument, builds, compare, draws, expected, out } from "./kernel_memory.ts";

const sizesOf: Record<keyof typeof scratch, (...sizes: number[]) => number> = scratch;
/** Created again by each test, so that its numbers are the same if it runs alone. */
let random = draws(0);
const normal = () => random.normal(), uniform = () => random.uniform();
const normals = (size: number, scale?: number) => random.normals(size, scale);

/** Channels at which vectors, panels and their remainders start and end. */
const widths = [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 33, 38];

for (const { name: build, kernels } of builds) {
  const check = (
    name: keyof typeof scratch,
    kernel: (...args: never[]) => void,
    args: readonly Argument[],
    tolerance: number,
  ) => {
    const sizes = args.filter((arg) => typeof arg === "number");
    const scratch = sizesOf[name](...sizes);
    compare(kernels, name, kernel, [...args, scratch === 0 ? null : { scratch }], tolerance);
  };

  test(`wkvBackward() of ${build} agrees with the reference at any size`, () => {
    for (const batch of [1, 3]) {
      for (const time of [0, 1, 2, 63, 64, 65, 129]) {
        for (const channels of widths) {
          for (const fresh of [true, false]) {
            const args = wkvArguments(batch, time, channels, fresh, () => normal());
            check("wkvBackward", wkvBackward, args, 1e-4);
          }
        }
      }
    }
  });

  test(`wkvBackward() of ${build} stays within 1e-4 with keys up to ±60`, () => {
    for (const time of [17, 64, 300]) {
      for (const fresh of [true, false]) {
        const args = wkvArguments(2, time, 9, fresh, () => 120 * uniform() - 60);
        check("wkvBackward", wkvBackward, args, 1e-4);
      }
    }
  });

  test(`wkvBackward() of ${build} stays within 1e-4 over 4096 steps where 2% of the keys are ±50`, () => {
    const key = () => uniform() < 0.02 ? (uniform() < 0.5 ? 50 : -50) : normal();
    check("wkvBackward", wkvBackward, wkvArguments(1, 4096, 6, true, key), 1e-4);
  });

  test(`attention() of ${build} of many queries agrees with the reference`, () => {
    for (const size of [1, 2, 3, 4, 5, 8, 11, 32, 33]) {
      for (const [batch, heads, queries, keys, causal] of attentionSizes) {
        const args = attentionArguments(batch, heads, size, queries, keys, causal);
        check("attention", attention, [out(batch * queries * heads * size), ...args], 1e-5);
      }
    }
  });

  test(`attention() of ${build} of many queries ignores the keys after a query, also NaN`, () => {
    const [queries, keys, channels] = [9, 13, 12];
    const [query, key, value, mask, ...sizes] = attentionArguments(1, 3, 4, queries, keys, 1);
    (key as Float32Array).fill(NaN, keys * channels);
    (value as Float32Array).fill(NaN, keys * channels);
    (key as Float32Array)[9 * channels] = NaN;
    (value as Float32Array)[10 * channels + 7] = Infinity;
    (query as Float32Array)[6 * channels + 11] = NaN;
    check("attention", attention, [out(queries * channels), query, key, value, mask, ...sizes], 1e-5);
  });

  test(`attentionBackward() of ${build} agrees with the reference`, () => {
    for (const size of [1, 2, 3, 4, 5, 8, 11, 32, 33]) {
      for (const [batch, heads, queries, keys, causal] of attentionSizes) {
        const channels = heads * size;
        const [query, key, value, mask, ...sizes] = attentionArguments(
          batch,
          heads,
          size,
          queries,
          keys,
          causal,
        );
        const forward = [out(batch * queries * channels), query, key, value, mask, ...sizes];
        const y = Float32Array.from(expected(attention, forward)[0]);
        check("attentionBackward", attentionBackward, [
          ...[out(batch * queries * channels), out(batch * keys * channels), out(batch * keys * channels)],
          ...[normals(y.length), query, key, value, mask, y, ...sizes],
        ], 5e-5);
      }
    }
  });

  test(`attentionBackward() of ${build} confines NaN and infinities to what depends on them`, () => {
    const channels = 12;
    for (const [queries, keys, causal] of [[21, 25, 1], [21, 25, 0], [25, 21, 0]]) {
      for (const number of [NaN, Infinity]) {
        for (const place of ["gy", "query", "key", "value"]) {
          const [query, key, value, mask, ...sizes] = attentionArguments(1, 3, 4, queries, keys, causal);
          const gy = normals(queries * channels);
          const rows = { gy, query, key, value } as Record<string, Float32Array>;
          // Of a query, or of the key at the same step.
          rows[place][(place === "gy" || place === "query" ? 6 : 6 + keys - queries) * channels + 5] = number;
          const y = Float32Array.from(
            expected(attention, [out(queries * channels), query, key, value, mask, ...sizes])[0],
          );
          check("attentionBackward", attentionBackward, [
            ...[out(queries * channels), out(keys * channels), out(keys * channels)],
            ...[gy, query, key, value, mask, y, ...sizes],
          ], 5e-5);
        }
      }
    }
  });

  test(`attention() of ${build} with a mask agrees with the reference, forwards and backwards`, () => {
    for (const size of [1, 3, 4, 8, 11, 33]) {
      for (const [batch, heads, queries, keys, causal] of [...fewQueries, ...attentionSizes]) {
        const rows = batch * queries * heads * size, all = batch * keys * heads * size;
        const [query, key, value, mask, ...sizes] = maskedArguments(
          ...[batch, heads, size, queries, keys, causal] as const,
        );
        const forward = [out(rows), query, key, value, mask, ...sizes];
        check("attention", attention, forward, 1e-5);
        const y = Float32Array.from(expected(attention, forward)[0]);
        check("attentionBackward", attentionBackward, [
          ...[out(rows), out(all), out(all), normals(rows), query, key, value, mask, y, ...sizes],
        ], 5e-5);
      }
    }
  });

  test(`attention() of ${build} with a mask confines NaN and infinities to the queries that see them`, () => {
    const [keys, channels] = [25, 12];
    for (const [queries, causal] of [[1, 1], [21, 1], [21, 0]]) {
      for (const number of [NaN, Infinity]) {
        for (const place of ["gy", "query", "key", "value"]) {
          for (const hidden of [true, false]) {
            const [query, key, value, mask, ...sizes] = maskedArguments(1, 3, 4, queries, keys, causal);
            const gy = normals(queries * channels), step = keys - queries;
            const rows = { gy, query, key, value } as Record<string, Float32Array>;
            rows[place][(place === "gy" || place === "query" ? 0 : step) * channels + 5] = number;
            (mask as Float32Array)[step] = Number(!hidden);
            const forward = [out(queries * channels), query, key, value, mask, ...sizes];
            check("attention", attention, forward, 1e-5);
            const y = Float32Array.from(expected(attention, forward)[0]);
            check("attentionBackward", attentionBackward, [
              ...[out(queries * channels), out(keys * channels), out(keys * channels)],
              ...[gy, query, key, value, mask, y, ...sizes],
            ], 5e-5);
          }
        }
      }
    }
  });

  test(`lstmRecurrence() of ${build} agrees with the reference for all sequences at once`, () => {
    for (const [batch, time] of [[2, 17], [3, 11], [5, 9], [32, 1], [33, 3]]) {
      for (const channels of widths) {
        const size = batch * channels;
        check("lstmRecurrence", lstmRecurrence, [
          ...[out(size * time), out(size), out(size), normals(4 * size * time)],
          ...[normals(4 * channels * channels, channels ** -0.5), normals(size, 0.5), normals(size)],
          ...[batch, time, channels],
        ], 1e-5);
      }
    }
  });

  test(`lstmRecurrenceBackward() of ${build} agrees with the reference`, () => {
    for (const [batch, time] of [[1, 0], [1, 1], [1, 9], [2, 17], [5, 3], [33, 2]]) {
      for (const channels of widths) {
        const size = batch * channels;
        check("lstmRecurrenceBackward", lstmRecurrenceBackward, [
          ...[out(4 * size * time), out(size), out(size)],
          ...[normals(size * time), normals(size), normals(size), normals(4 * size * time, 2)],
          ...[normals(4 * channels * channels, channels ** -0.5), normals(size)],
          ...[batch, time, channels],
        ], 1e-5);
      }
    }
  });
}

function test(name: string, body: () => void): void {
  Deno.test(name, () => {
    random = draws(8);
    body();
  });
}

/** Batch, heads, queries, keys, and 1 if later keys are hidden. */
const attentionSizes = [
  [1, 1, 4, 4, 1],
  [2, 2, 5, 5, 1],
  [1, 3, 7, 66, 1],
  [2, 1, 16, 17, 1],
  [1, 2, 17, 40, 1],
  [1, 1, 33, 33, 1],
  [2, 1, 4, 4, 0],
  [1, 3, 7, 66, 0],
  [2, 2, 17, 5, 0],
  [1, 2, 33, 4, 0],
  [2, 1, 6, 0, 0],
];

/** The same, of fewer queries. */
const fewQueries = [[2, 2, 1, 9, 1], [1, 3, 3, 70, 1], [1, 3, 3, 70, 0], [2, 1, 3, 1, 0]];

/** The arguments without outputs; keys and values with free capacity behind each sequence. */
function attentionArguments(
  batch: number,
  heads: number,
  size: number,
  queries: number,
  keys: number,
  causal: number,
): Argument[] {
  const channels = heads * size;
  return [
    normals(batch * queries * channels),
    normals(batch * (keys + 3) * channels),
    normals(batch * (keys + 1) * channels),
    null,
    ...[batch, queries, keys, keys + 3, keys + 1, 0, channels, heads, causal],
  ];
}

function wkvArguments(
  batch: number,
  time: number,
  channels: number,
  fresh: boolean,
  key: () => number,
): Argument[] {
  const size = batch * time * channels;
  const rows = fresh
    ? [() => 0, () => 0, () => -1e38, () => 0]
    : [() => normal(), () => 0.5 + uniform(), () => normal(), () => random.integer(9)];
  const state = Float32Array.from(
    { length: 4 * batch * channels },
    (_, i) => rows[Math.floor(i / channels) % 4](),
  );
  const decay = normals(channels).map((value) => -Math.exp(2 * value - 2));
  const inputs = [decay, normals(channels), normals(size).map(key), normals(size), state];
  const sizes = [batch, time, channels];
  const y = Float32Array.from(expected(wkv, [out(size), out(state.length), ...inputs, ...sizes])[0]);
  return [
    ...[out(channels), out(channels), out(size), out(size), out(state.length)],
    ...[normals(size), normals(state.length), ...inputs, y, ...sizes],
  ];
}

/** The same with a mask that hides every third key from the first on, and has room behind each sequence. */
function maskedArguments(
  batch: number,
  heads: number,
  size: number,
  queries: number,
  keys: number,
  causal: number,
): Argument[] {
  const [query, key, value, , ...sizes] = attentionArguments(batch, heads, size, queries, keys, causal);
  const capacity = keys + 3;
  const mask = Float32Array.from({ length: batch * capacity }, (_, i) => {
    const j = i % capacity;
    return j < keys ? Number(j % 3 > 0) : NaN;
  });
  return [query, key, value, mask, ...sizes.with(5, capacity)];
}
