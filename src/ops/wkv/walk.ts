/**
 * WGSL shared by the WKV kernels: the sums over runs of steps, how two runs are combined, and the loop over steps.
 *
 * @module
 */
import { inRows, main, nan } from "../../backends/webgpu/wgsl.ts";

/** The size of the workgroups of these kernels: small, so that chunks and channels are distributed evenly. */
const threads = 64;

/**
 * The number of steps that are loaded before the first is used, because few channels can't hide the latency of
 * memory.
 */
export const block = 8;

/**
 * The sums over a run of steps: numerator and denominator at a scale of e^(anchor + age·w) as of the run's end.
 * Anchor and age are exact, so that the difference of two exponents is rounded once and rounding errors never carry
 * over to the next step.
 */
export const sums = `${nan}
struct Sums { numerator: f32, denominator: f32, anchor: f32, age: f32 }

// e^-|distance|; some drivers' exp does not propagate NaN.
fn shrink(distance: f32) -> f32 {
  return select(exp(-abs(distance)), distance, isNan(distance));
}

// An infinite decay, such as -e^89, times no steps would be NaN, where the last step should count fully.
fn finiteDecay(w: f32) -> f32 {
  return select(max(w, -1e38), w, isNan(w));
}

// The sums over no step, at a scale below every key.
fn noSums() -> Sums {
  return Sums(0.0, 0.0, -1e38, 0.0);
}

// The sums over a run and the steps after it, whose own sums are later. The larger of the two scales is kept.
fn extend(past: Sums, later: Sums, steps: f32, w: f32) -> Sums {
  let ahead = fma(later.age - past.age - steps, w, later.anchor - past.anchor);
  let smaller = shrink(ahead);
  let leads = ahead > 0.0;
  let kept = select(1.0, smaller, leads);
  let added = select(smaller, 1.0, leads);
  return Sums(
    fma(kept, past.numerator, added * later.numerator),
    fma(kept, past.denominator, added * later.denominator),
    select(past.anchor, later.anchor, leads),
    select(past.age + steps, later.age, leads),
  );
}

// The output of a step: its own value, with the bonus, weighted against the past.
fn output(past: Sums, w: f32, u: f32, k: f32, v: f32) -> f32 {
  let ahead = fma(-past.age, w, k - past.anchor) + u;
  let smaller = shrink(ahead);
  let leads = ahead > 0.0;
  let kept = select(1.0, smaller, leads);
  let added = select(smaller, 1.0, leads);
  return fma(kept, past.numerator, added * v) / fma(kept, past.denominator, added);
}
`;

/** A function that reads sums, stored in consecutive rows, from a buffer. */
export function readSums(name: string, buffer: string): string {
  return `
fn ${name}(at: u32) -> Sums {
  let row = params.channels;
  return Sums(${buffer}[at], ${buffer}[at + row], ${buffer}[at + 2u * row], ${buffer}[at + 3u * row]);
}
`;
}

/** A function that writes sums. */
export function writeSums(name: string, buffer: string): string {
  return `
fn ${name}(at: u32, sums: Sums) {
  let row = params.channels;
  ${buffer}[at] = sums.numerator;
  ${buffer}[at + row] = sums.denominator;
  ${buffer}[at + 2u * row] = sums.anchor;
  ${buffer}[at + 3u * row] = sums.age;
}
`;
}

/** An entry point with the index `id` of the invocation; ids may exceed the requested number slightly. */
export function mainOfAll(body: string): string {
  return main(threads, `let id = group * ${threads}u + lane;${body}`);
}

/** The workgroups of {@linkcode mainOfAll} for a number of invocations. */
export function groupsOfAll(invocations: number, limits: GPUSupportedLimits): [number, number] {
  return inRows(Math.ceil(invocations / threads), limits);
}

/** Statements for a step with key `k` and value `v`: adds it to the variable `past`. */
export const addStep = "past = extend(past, Sums(v, 1.0, k, 0.0), 1.0, w);";

/** Statements for the step at element `here`: writes its output, then adds it. */
export const replayStep = `y[here] = output(past, w, u, k, v); ${addStep}`;

/** The inputs of a step: their variables and buffers. */
const keyAndValue: Record<string, string> = { k: "key", v: "value" };

/**
 * Statements that run `step` for `count` steps of a channel, from the element `first` on. Each block of steps is
 * loaded while the one before it is processed.
 */
export function walk(step: string, inputs = keyAndValue): string {
  const each = (line: (i: number) => string) =>
    Array.from({ length: block }, (_, i) => line(i)).join("\n    ");
  const ofAll = (line: (name: string, buffer: string) => string) =>
    Object.entries(inputs).map(([name, buffer]) => line(name, buffer)).join(" ");
  return `
  let row = params.channels;
  let blocks = count / ${block}u;
  var at = first;
  if (blocks > 0u) {
    ${each((i) => ofAll((name, buffer) => `var ${name}${i} = ${buffer}[at + ${i}u * row];`))}
    for (var left = blocks; left > 0u; left--) {
      // There may be nothing after the last block, so it is loaded again instead.
      let next = at + select(0u, ${block}u * row, left > 1u);
      ${each((i) => ofAll((name, buffer) => `let ${name}Next${i} = ${buffer}[next + ${i}u * row];`))}
      ${
    each((i) => `{ let here = at + ${i}u * row; ${ofAll((name) => `let ${name} = ${name}${i};`)} ${step} }`)
  }
      ${each((i) => ofAll((name) => `${name}${i} = ${name}Next${i};`))}
      at += ${block}u * row;
    }
  }
  for (var left = count % ${block}u; left > 0u; left--) {
    let here = at; ${ofAll((name, buffer) => `let ${name} = ${buffer}[here];`)}
    ${step}
    at += row;
  }`;
}
