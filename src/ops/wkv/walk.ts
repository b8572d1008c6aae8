/**
 * The WGSL that the WKV kernels share: sums over runs of steps, how two runs become one, and the walk from step to step.
 *
 * @module
 */
import { inRows, main, nan } from "../../backends/webgpu/wgsl.ts";

/** Invocations in a workgroup of the kernels that walk: few, so that chunks and channels spread evenly. */
const threads = 64;

/** How many steps are loaded before the first of them is used: few channels can't hide the latency of memory. */
export const block = 8;

/**
 * Sums over a run of steps: numerator and denominator at a scale of e^(anchor + age·w) as of the run's end. Anchor and
 * age are exact, so that the difference of two exponents is rounded once and nothing that is rounded goes on into the
 * next.
 */
export const sums = `${nan}
struct Sums { numerator: f32, denominator: f32, anchor: f32, age: f32 }

// e^-|distance|; the exponentials of some drivers make a number of NaN.
fn shrink(distance: f32) -> f32 {
  return select(exp(-abs(distance)), distance, isNan(distance));
}

// A decay that lets nothing through, infinite as -e^89 is, would be NaN times no step at all, where the last step counts whole.
fn finiteDecay(w: f32) -> f32 {
  return select(max(w, -1e38), w, isNan(w));
}

// The sums over no step, at a scale below every key.
fn noSums() -> Sums {
  return Sums(0.0, 0.0, -1e38, 0.0);
}

// The sums over a run and the steps behind it, whose own sums are later. The larger of the two scales stays.
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

// What a step gives out: its own value, with the bonus, weighed against the past before it.
fn output(past: Sums, w: f32, u: f32, k: f32, v: f32) -> f32 {
  let ahead = fma(-past.age, w, k - past.anchor) + u;
  let smaller = shrink(ahead);
  let leads = ahead > 0.0;
  let kept = select(1.0, smaller, leads);
  let added = select(smaller, 1.0, leads);
  return fma(kept, past.numerator, added * v) / fma(kept, past.denominator, added);
}
`;

/** A function that reads the sums that stand in a buffer from an element on, a row each. */
export function readSums(name: string, buffer: string): string {
  return `
fn ${name}(at: u32) -> Sums {
  let row = params.channels;
  return Sums(${buffer}[at], ${buffer}[at + row], ${buffer}[at + 2u * row], ${buffer}[at + 3u * row]);
}
`;
}

/** A function that writes them. */
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

/** An entry point of which every invocation has a number `id` of its own, from 0 up to a little past what was asked for. */
export function mainOfAll(body: string): string {
  return main(threads, `let id = group * ${threads}u + lane;${body}`);
}

/** The workgroups of {@linkcode mainOfAll} for so many invocations. */
export function groupsOfAll(invocations: number, limits: GPUSupportedLimits): [number, number] {
  return inRows(Math.ceil(invocations / threads), limits);
}

/** Statements for a step with key `k` and value `v`: adds it to the variable `past`. */
export const addStep = "past = extend(past, Sums(v, 1.0, k, 0.0), 1.0, w);";

/** Statements for a step that stands at `here`: writes its output, then adds it. */
export const replayStep = `y[here] = output(past, w, u, k, v); ${addStep}`;

/** What a step takes from each input: the name that it has there, and the buffer. */
const keyAndValue: Record<string, string> = { k: "key", v: "value" };

/**
 * Statements that take `count` steps of a channel, the first of them at the element `first`. A block of steps is loaded
 * while the one before it is worked on.
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
      // Behind the last block there may be nothing: it is loaded once more instead.
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
