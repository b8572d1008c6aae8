/**
 * The speed of the recurrent operations, forward and backward, in the sizes of a training step of both presets: 32
 * sequences of 128 tokens, so that a millisecond is 244 ns per token. For
 * `deno bench -A bench/kernels/recurrent_bench.ts`.
 *
 * @module
 */
import {
  attention,
  type Backend,
  createReference,
  createWasm,
  presets,
  read,
  type Tensor,
  tensor,
} from "@seqmix/seqmix";
import { compute } from "../../src/compute.ts";
import { attentionOp } from "../../src/ops/attention/mod.ts";
import { lstmRecurrenceBackwardOp, lstmRecurrenceOp } from "../../src/ops/lstm/mod.ts";
import { wkvOp } from "../../src/ops/wkv/mod.ts";
import { randomSource } from "../../src/random.ts";
import { checkLogits } from "../measure/subjects.ts";

const batch = 32, time = 128;
const backends: readonly (readonly [name: string, backend: Backend])[] = [
  ["wasm, relaxed SIMD", await createWasm()],
  ["wasm, baseline SIMD", await createWasm({ simd: "baseline" })],
];
const { uniform } = randomSource(1);

/** An operation with its inputs; `back` also takes the results of `run`. */
interface Subject {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  run(inputs: readonly Tensor[]): readonly Tensor[];
  back(inputs: readonly Tensor[], results: readonly Tensor[]): readonly Tensor[];
}

const reference = createReference();

function draw(shape: readonly number[], low: number, high: number): Tensor {
  const size = shape.reduce((a, b) => a * b);
  const data = Float32Array.from({ length: size }, () => low + (high - low) * uniform());
  return tensor(data, shape, reference);
}

function subjects(preset: "matched" | "article"): Subject[] {
  const { rwkv, transformer, lstm } = presets[preset];
  const x = (channels: number) => draw([batch, time, channels], -1, 1);
  const state = () => draw([batch, lstm.channels], -1, 1);
  const reach = lstm.channels ** -0.5;
  return [{
    name: `wkv, ${preset}: C ${rwkv.channels}`,
    inputs: [
      draw([rwkv.channels], -1, 0),
      draw([rwkv.channels], -1, 1),
      x(rwkv.channels),
      x(rwkv.channels),
      draw([batch, 4, rwkv.channels], 0, 1),
    ],
    run: ([decay, bonus, key, value, state]) => compute(wkvOp, [decay, bonus, key, value, state]),
    back: ([decay, bonus, key, value, state], [y, nextState]) =>
      compute(wkvOp.backward!, [value, state, decay, bonus, key, value, state, y, nextState]),
  }, {
    name: `attention, ${preset}: C ${transformer.channels}, ${transformer.heads} heads`,
    inputs: [x(transformer.channels), x(transformer.channels), x(transformer.channels)],
    run: ([query, key, value]) => [attention(query, key, value, transformer.heads)],
    back: ([query, key, value], [y]) =>
      compute(attentionOp.backward!, [value, query, key, value, undefined!, y], [transformer.heads, 1]),
  }, {
    name: `lstmRecurrence, ${preset}: C ${lstm.channels}`,
    inputs: [
      x(4 * lstm.channels),
      draw([4 * lstm.channels, lstm.channels], -reach, reach),
      state(),
      state(),
    ],
    run: ([gates, weight, hidden, cell]) => compute(lstmRecurrenceOp, [gates, weight, hidden, cell]),
    back: ([gates, weight, hidden, cell], [y]) =>
      compute(lstmRecurrenceBackwardOp, [y, hidden, cell, gates, weight, cell]),
  }];
}

for (const { name, inputs, run, back } of [...subjects("matched"), ...subjects("article")]) {
  const expected = run(inputs);
  const wanted = [expected, back(inputs, expected)];
  for (const [backendName, backend] of backends) {
    const moved = await Promise.all(inputs.map(async (t) => tensor(await read(t), t.shape, backend)));
    const results = run(moved);
    const directions = [
      ["forward", () => run(moved)],
      ["backward", () => back(moved, results)],
    ] as const;
    for (const [which, [direction, go]] of directions.entries()) {
      for (const [i, found] of go().entries()) {
        checkLogits(
          `${name} ${direction} on ${backendName}`,
          await read(found),
          await read(wanted[which][i]),
        );
        backend.free(found);
      }
      Deno.bench({
        group: `${name}, ${direction}`,
        name: backendName,
        baseline: backend === backends[0][1],
        fn: () => backend.free(go()),
      });
    }
  }
}
