/**
 * One token of each model as an ONNX graph, in the fastest form for ONNX Runtime that we found: fused operators,
 * weights as [in, out] constants, and the state in as few tensors as possible, since each input or output costs two
 * microseconds per call.
 *
 * @module
 */
import { OnnxGraph } from "./onnx_graph.ts";
import type { HostTensor, LstmWeights, RwkvWeights, TransformerWeights } from "./case.ts";

/** A graph and its initial state. Each state input `name` has an output `next_name`. */
export interface OnnxModel {
  readonly bytes: Uint8Array;
  readonly state: Readonly<Record<string, HostTensor>>;
}

/** Inputs `token`, `state` [1, 5L, C]: for each layer shift, numerator, denominator, exponent, shift. */
export function rwkvGraph(weights: RwkvWeights): OnnxModel {
  const graph = new OnnxGraph();
  const ops = operators(graph);
  const channels = weights.lnOut.weight.shape[0];
  const layers = weights.blocks.length;
  const shape = [1, 5 * layers, channels];
  const parts = weights.blocks.flatMap(() => [1, 2, 1, 1]);
  const state = graph.nodes(
    "Split",
    [graph.input("state", "float32", shape), graph.integers(parts)],
    parts.length,
    { axis: 1 },
  );
  const next: string[] = [];
  let x = ops.layerNorm(ops.embedding(weights.embedding), weights.ln0);
  weights.blocks.forEach(({ ln1, ln2, timeMix, channelMix }, layer) => {
    const [timeShift, sums, exponent, channelShift] = state.slice(4 * layer, 4 * layer + 4);
    let h = ops.layerNorm(x, ln1);
    const { mixK, mixV, mixR } = timeMix;
    const [timeK, timeV, timeR] = ops.mixes(h, timeShift, [mixK, mixV, mixR]);
    const wkv = wkvNodes(
      graph,
      timeMix,
      ops.linear(timeK, timeMix.key),
      ops.linear(timeV, timeMix.value),
      sums,
      exponent,
    );
    const gated = graph.node("Mul", [
      graph.node("Sigmoid", [ops.linear(timeR, timeMix.receptance)]),
      wkv.y,
    ]);
    next.push(h, wkv.sums, wkv.exponent);
    x = graph.node("Add", [x, ops.linear(gated, timeMix.output)]);
    h = ops.layerNorm(x, ln2);
    const [channelK, channelR] = ops.mixes(h, channelShift, [channelMix.mixK, channelMix.mixR]);
    const relu = graph.node("Relu", [ops.linear(channelK, channelMix.key)]);
    const opened = graph.node("Mul", [
      graph.node("Sigmoid", [ops.linear(channelR, channelMix.receptance)]),
      ops.linear(graph.node("Mul", [relu, relu]), channelMix.value),
    ]);
    x = graph.node("Add", [x, opened]);
    next.push(h);
  });
  ops.logits(ops.layerNorm(x, weights.lnOut), weights.head);
  graph.output("next_state", graph.node("Concat", next, { axis: 1 }), shape);
  const start = new Float32Array(5 * layers * channels);
  for (let layer = 0; layer < layers; layer++) {
    start.fill(-1e38, (5 * layer + 3) * channels, (5 * layer + 4) * channels);
  }
  return { bytes: graph.encode(), state: { state: { shape, data: start } } };
}

/** The textbook recurrence, with the terms of the output and of the next state stacked along the first axis. */
function wkvNodes(
  graph: OnnxGraph,
  { decay, bonus }: { readonly decay: HostTensor; readonly bonus: HostTensor },
  key: string,
  value: string,
  sums: string,
  exponent: string,
) {
  const channels = decay.shape[0];
  const pair = (first: Float32Array, second: Float32Array) =>
    graph.constant({ shape: [2, 1, channels], data: Float32Array.of(...first, ...second) });
  const zero = new Float32Array(channels);
  const past = graph.node("Add", [exponent, pair(zero, decay.data.map((d) => -Math.exp(d)))]);
  const now = graph.node("Add", [key, pair(bonus.data, zero)]);
  const top = graph.node("Max", [past, now]);
  const ones = graph.constant({ shape: [1, 1, channels], data: new Float32Array(channels).fill(1) });
  const scaled = (exponents: string, x: string) =>
    graph.node("Mul", [graph.node("Exp", [graph.node("Sub", [exponents, top])]), x]);
  const all = graph.node("Add", [
    scaled(past, sums),
    scaled(now, graph.node("Concat", [value, ones], { axis: 1 })),
  ]);
  const halves = (x: string, axis: number) => graph.nodes("Split", [x], 2, { axis, num_outputs: 2 });
  const [here, nextSums] = halves(all, 0);
  return { y: graph.node("Div", halves(here, 1)), sums: nextSums, exponent: halves(top, 0)[1] };
}

/**
 * Inputs `token`, `past` (the length of the cache) and `total` (one more), and for each layer `key` and `value` [1,
 * H, capacity, N], which are extended in place if the output is given the same memory.
 */
export function transformerGraph(
  weights: TransformerWeights,
  { capacity }: { readonly capacity: number },
): OnnxModel {
  const graph = new OnnxGraph();
  const ops = operators(graph);
  const channels = weights.lnOut.weight.shape[0];
  const past = graph.input("past", "int32", [1]);
  const total = graph.input("total", "int32", []);
  const state: Record<string, HostTensor> = {};
  let x = ops.embedding(weights.embedding);
  weights.blocks.forEach(({ ln1, attention, ln2, feedForward }, layer) => {
    const { heads, rotaryBase } = attention;
    const size = channels / heads;
    const shape = [1, heads, capacity, size];
    const names = [`key${layer}`, `value${layer}`];
    for (const name of names) {
      state[name] = { shape, data: new Float32Array(capacity * channels) };
      graph.input(name, "float32", shape);
    }
    const h = ops.layerNorm(x, ln1);
    const packed = ops.linear(h, rowsOf([attention.query, attention.key, attention.value]));
    const positions = rotaryTables(graph, capacity, size, rotaryBase);
    // The fused operator can rotate the heads, but not those of the smaller preset.
    const fused = size % 16 === 0;
    const [mixed, ...cache] = graph.nodes(
      "com.microsoft.GroupQueryAttention",
      fused
        ? [packed, "", "", ...names, past, total, ...positions]
        : [...turned(graph, packed, heads, past, positions), ...names, past, total],
      3,
      { num_heads: heads, kv_num_heads: heads, do_rotary: fused && rotaryBase !== undefined ? 1 : 0 },
    );
    names.forEach((name, i) => graph.output(`next_${name}`, cache[i], shape));
    x = graph.node("Add", [x, ops.linear(mixed, attention.output)]);
    const up = ops.linear(ops.layerNorm(x, ln2), feedForward.up);
    const hidden = graph.node("Gelu", [up], { approximate: "tanh" });
    x = graph.node("Add", [x, ops.linear(hidden, feedForward.down)]);
  });
  ops.logits(ops.layerNorm(x, weights.lnOut), weights.head);
  return { bytes: graph.encode(), state };
}

/** Query, key and value, the first two rotated by their position. */
function turned(
  graph: OnnxGraph,
  packed: string,
  heads: number,
  past: string,
  tables: readonly string[],
): string[] {
  const [query, key, value] = graph.nodes("Split", [packed], 3, { axis: 2, num_outputs: 3 });
  if (tables.length === 0) return [query, key, value];
  const position = graph.node("Cast", [past], { to: 7 });
  const turn = (x: string) =>
    graph.node("com.microsoft.RotaryEmbedding", [x, position, ...tables], { num_heads: heads });
  return [turn(query), turn(key), value];
}

/** The cosines and sines of the angles, [capacity, N/2] each; empty without positions. */
function rotaryTables(graph: OnnxGraph, capacity: number, size: number, base: number | undefined): string[] {
  if (base === undefined) return [];
  const half = size / 2;
  const angle = (i: number) => Math.floor(i / half) * base ** (-2 * (i % half) / size);
  return [Math.cos, Math.sin].map((f) =>
    graph.constant({
      shape: [capacity, half],
      data: Float32Array.from({ length: capacity * half }, (_, i) => f(angle(i))),
    })
  );
}

/** Inputs `token`, `state` [2L, 1, C]: for each layer hidden, cell. */
export function lstmGraph(weights: LstmWeights): OnnxModel {
  const graph = new OnnxGraph();
  const ops = operators(graph);
  const channels = weights.embedding.shape[1];
  const layers = weights.layers.length;
  const shape = [2 * layers, 1, channels];
  const state = graph.nodes("Split", [graph.input("state", "float32", shape)], 2 * layers, {
    axis: 0,
    num_outputs: 2 * layers,
  });
  const next: string[] = [];
  let x = ops.embedding(weights.embedding);
  weights.layers.forEach(({ inputWeight, hiddenWeight, bias }, layer) => {
    const gates = (t: HostTensor) => {
      const { data, shape: [, inputs] } = gatesInOnnxOrder(t, channels);
      return graph.constant({ shape: [1, 4 * channels, inputs], data });
    };
    const both = new Float32Array(8 * channels);
    both.set(gatesInOnnxOrder(bias, channels).data);
    const [, hidden, cell] = graph.nodes(
      "LSTM",
      [
        x,
        gates(inputWeight),
        gates(hiddenWeight),
        graph.constant({ shape: [1, 8 * channels], data: both }),
        "",
        state[2 * layer],
        state[2 * layer + 1],
      ],
      3,
      { hidden_size: channels },
    );
    next.push(hidden, cell);
    // For a single step, the operator's first output, the sequence, is the last hidden state.
    x = hidden;
  });
  ops.logits(x, weights.head);
  graph.output("next_state", graph.node("Concat", next, { axis: 0 }), shape);
  return {
    bytes: graph.encode(),
    state: { state: { shape, data: new Float32Array(2 * layers * channels) } },
  };
}

/** Reorders gates from i f g o to ONNX's i o f g. */
function gatesInOnnxOrder({ data, shape }: HostTensor, channels: number): HostTensor {
  const size = channels * (shape[1] ?? 1);
  const sorted = new Float32Array(data.length);
  [0, 3, 1, 2].forEach((from, to) => sorted.set(data.subarray(from * size, (from + 1) * size), to * size));
  return { shape, data: sorted };
}

function operators(graph: OnnxGraph) {
  type Norm = { readonly weight: HostTensor; readonly bias: HostTensor };
  const epsilon = { float: 1e-5 };
  return {
    embedding(weight: HostTensor): string {
      return graph.node("Gather", [graph.constant(weight), graph.input("token", "int64", [1, 1])]);
    },
    linear(x: string, weight: HostTensor): string {
      return graph.node("MatMul", [x, graph.constant(transposed(weight))]);
    },
    layerNorm(x: string, { weight, bias }: Norm): string {
      return graph.node("LayerNormalization", [x, graph.constant(weight), graph.constant(bias)], { epsilon });
    },
    logits(x: string, weight: HostTensor): void {
      graph.output("logits", this.linear(x, weight), [1, 1, weight.shape[0]]);
    },
    /** before + (x - before)·ratio for several ratios at once. */
    mixes(x: string, before: string, ratios: readonly HostTensor[]): string[] {
      const change = graph.node("Sub", [x, before]);
      const { data, shape } = rowsOf(ratios.map((ratio) => ({ ...ratio, shape: [1, ...ratio.shape] })));
      const scaled = graph.node("Mul", [change, graph.constant({ data, shape: [1, ...shape] })]);
      const mixed = graph.node("Add", [scaled, before]);
      return graph.nodes("Split", [mixed], ratios.length, { axis: 1, num_outputs: ratios.length });
    },
  };
}

/** Concatenates matrices along their rows. */
function rowsOf(matrices: readonly HostTensor[]): HostTensor {
  const [, columns] = matrices[0].shape;
  const data = new Float32Array(matrices.reduce((size, matrix) => size + matrix.data.length, 0));
  let offset = 0;
  for (const matrix of matrices) {
    data.set(matrix.data, offset);
    offset += matrix.data.length;
  }
  return { data, shape: [data.length / columns, columns] };
}

function transposed({ data, shape: [rows, columns] }: HostTensor): HostTensor {
  const turned = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      turned[column * rows + row] = data[row * columns + column];
    }
  }
  return { shape: [columns, rows], data: turned };
}
