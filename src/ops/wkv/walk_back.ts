/**
 * The WGSL of the way back through the WKV scan: what a step's output asks of the past, and the walk through a block of
 * steps from its last to its first.
 *
 * What comes later asks of the sums (a, b) before a step for the gradients ga·e^exponent of a·e^(q + n·w) and
 * gb·e^exponent of b·e^(q + n·w). These are sums of the same kind, over the steps that come later, with an exponent that
 * falls by w for each step in between; so they are held, extended and scanned as the sums themselves are.
 *
 * @module
 */
import { block, sums } from "./walk.ts";

/** The functions of {@linkcode sums}, and how an output is differentiated. */
export const outputBack = sums + `
// The gradients of a step's output: of its own exponent u + k, of its own value, and what it asks of the past.
struct Asked { exponent: f32, value: f32, past: Sums }

// The output is (e^p a + e^(u + k) v) / (e^p b + e^(u + k)), with the larger of both exponents taken out of all.
fn ask(past: Sums, w: f32, u: f32, k: f32, v: f32, g: f32) -> Asked {
  let ahead = fma(-past.age, w, k - past.anchor) + u;
  let smaller = shrink(ahead);
  let leads = ahead > 0.0;
  let kept = select(1.0, smaller, leads);
  let own = select(smaller, 1.0, leads);
  let weight = fma(kept, past.denominator, own);
  let y = fma(kept, past.numerator, own * v) / weight;
  let r = g / weight;
  // The scale e^-(u + k) is that of the key alone where it can be, since keys are subtracted from each other exactly: e^-u goes
  // into the numbers. Past ±16 what this would change is too little to be seen.
  let folds = abs(u) <= 16.0;
  let unlifted = select(1.0, exp(-u), folds && leads);
  let anchor = select(-past.anchor, -(k + select(u, 0.0, folds)), leads);
  let scale = Sums(r * unlifted, -r * y * unlifted, anchor, select(-past.age, 0.0, leads));
  return Asked(own * r * (v - y), own * r, scale);
}

// e^exponent, which is at most what ask() folds away; NaN stays NaN.
fn power(exponent: f32) -> f32 {
  return select(exp(exponent), exponent, isNan(exponent));
}

// What two runs have to do with each other: Σ ga·a + gb·b of the sums before a place and what is asked of them behind it,
// steps later. What leads in either was taken out of both.
fn meet(past: Sums, later: Sums, steps: f32, w: f32) -> f32 {
  let share = power(fma(past.age + later.age + steps, w, past.anchor + later.anchor));
  return share * fma(past.numerator, later.numerator, past.denominator * later.denominator);
}
`;

/**
 * Statements that take a step back: what is asked of the past is added to `later`, behind `results`, statements for the gradients
 * `gk` and `gv` of key and value, and those that the step adds to the ones of decay and bonus, `w1` and `u1`.
 */
export function stepBack(past: string, k: string, v: string, g: string, results: string): string {
  return `
      let asked = ask(${past}, w, u, ${k}, ${v}, ${g});
      let share = power(fma(later.age, w, ${k} + later.anchor));
      let gk = fma(share, fma(later.numerator, ${v}, later.denominator), asked.exponent);
      let gv = fma(share, later.numerator, asked.value);
      let u1 = asked.exponent;
      let w1 = meet(${past}, later, 1.0, w);
      ${results}
      later = extend(later, asked.past, 1.0, w);`;
}

/**
 * Statements that take the last `count` steps, up to a block of them, from their last to their first, each as {@linkcode stepBack}
 * with its element in `here`. The first stands at the element `at`, with the variable `past0` before it.
 */
export function walkBlockBack(results: string): string {
  const places = Array.from({ length: block }, (_, i) => i);
  const loads = places.map((i) => `
    let at${i} = at + min(${i}u, count - 1u) * row;
    let k${i} = key[at${i}];
    let v${i} = value[at${i}];
    let g${i} = gy[at${i}];`);
  const states = places.slice(1).map((i) => `
    let past${i} = extend(past${i - 1}, Sums(v${i - 1}, 1.0, k${i - 1}, 0.0), 1.0, w);`);
  const steps = places.reverse().map((i) => `
    if (count > ${i}u) {
      let here = at${i};${stepBack(`past${i}`, `k${i}`, `v${i}`, `g${i}`, results)}
    }`);
  return [...loads, ...states, ...steps].join("");
}
