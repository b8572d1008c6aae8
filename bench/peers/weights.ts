// interim
export interface HostTensor { readonly shape: readonly number[]; readonly data: Float32Array<ArrayBuffer> }
let seed = 12345;
const u = () => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return (seed + 0.5) / 4294967296; };
const normal = () => Math.sqrt(-2 * Math.log(u())) * Math.cos(2 * Math.PI * u());
const m = (o: number, i: number): HostTensor => ({ shape: [o, i], data: Float32Array.from({ length: o * i }, () => normal() / Math.sqrt(i)) });
const v = (n: number, f: (i: number) => number): HostTensor => ({ shape: [n], data: Float32Array.from({ length: n }, (_, i) => f(i)) });
const ln = (n: number) => ({ weight: v(n, () => 1 + 0.1 * normal()), bias: v(n, () => 0.1 * normal()) });
export const sizes = { seed: { rwkv: [128, 512], transformer: [128, 512], lstm: [128, 0] }, matched: { rwkv: [32, 100], transformer: [32, 120], lstm: [38, 0] } };
export function rwkvWeights(C: number, F: number) {
  return { embedding: m(64, C), ln0: ln(C), blocks: Array.from({ length: 4 }, () => ({
    ln1: ln(C), timeMix: { mixK: v(C, u), mixV: v(C, u), mixR: v(C, u), decay: v(C, (i) => -5 + 8 * (i / (C - 1))), bonus: v(C, () => -1.2 + 0.5 * normal()),
      key: m(C, C), value: m(C, C), receptance: m(C, C), output: m(C, C) },
    ln2: ln(C), channelMix: { mixK: v(C, u), mixR: v(C, u), key: m(F, C), receptance: m(C, C), value: m(C, F) } })), lnOut: ln(C), head: m(64, C) };
}
export function transformerWeights(C: number, F: number) {
  return { embedding: m(64, C), blocks: Array.from({ length: 4 }, () => ({ ln1: ln(C), attention: { heads: 4, rotaryBase: 10000, query: m(C, C), key: m(C, C), value: m(C, C), output: m(C, C) },
    ln2: ln(C), feedForward: { up: m(F, C), down: m(C, F) } })), lnOut: ln(C), head: m(64, C) };
}
export function lstmWeights(C: number) {
  return { embedding: m(64, C), layers: Array.from({ length: 4 }, () => ({ inputWeight: m(4 * C, C), hiddenWeight: m(4 * C, C), bias: v(4 * C, () => 0.3 * normal()) })), head: m(64, C) };
}
