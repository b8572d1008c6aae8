/**
 * WGSL for the adjoint of the WKV scan: the contribution of a step's output, and the loop over a block of steps
 * from its last to its first.
 *
 * Before a step, the adjoint of the sums (a, b) has the gradients ga·e^exponent of a·e^(q + n·w) and gb·e^exponent
 * of b·e^(q + n·w). They are sums over the later steps, with an exponent that decreases by w for each step in
 * between. The adjoint therefore has the form of the sums, and is stored, extended and scanned in the same way.
 * @module
 */
import { block, sums } from "./walk.ts";

/** The functions of {@linkcode sums}, and the adjoint of an output. */
export const outputAdjoint = sums + `
// The gradients of a step's output with respect to its exponent u + k and its value, and its contribution to the
// adjoint.
struct OutputAdjoint { exponent: f32, value: f32, past: Sums }

// The output is (e^p a + e^(u + k) v) / (e^p b + e^(u + k)), computed relative to the larger exponent.
fn outputAdjoint(past: Sums, w: f32, u: f32, k: f32, v: f32, g: f32) -> OutputAdjoint {
  let ahead = fma(-past.age, w, k - past.anchor) + u;
  let smaller = shrink(ahead);
  let leads = ahead > 0.0;
  let kept = select(1.0, smaller, leads);
  let own = select(smaller, 1.0, leads);
  let weight = fma(kept, past.denominator, own);
  let y = fma(kept, past.numerator, own * v) / weight;
  let r = g / weight;
  // The scale e^-(u + k) is that of the key alone if possible, since differences of keys are exact; the numbers are
  // multiplied by e^-u instead. Beyond ±16 the difference is negligible.
  let folds = abs(u) <= 16.0;
  let unlifted = select(1.0, exp(-u), folds && leads);
  let anchor = select(-past.anchor, -(k + select(u, 0.0, folds)), leads);
  let scale = Sums(r * unlifted, -r * y * unlifted, anchor, select(-past.age, 0.0, leads));
  return OutputAdjoint(own * r * (v - y), own * r, scale);
}

// e^exponent, which is at most what is folded above; NaN stays NaN.
fn power(exponent: f32) -> f32 {
  return select(exp(exponent), exponent, isNan(exponent));
}

// The product of two runs: Σ ga·a + gb·b of the sums before a position and their adjoint after it, some steps later.
// The leading exponents of both are added again.
fn meet(past: Sums, later: Sums, steps: f32, w: f32) -> f32 {
  let share = power(fma(past.age + later.age + steps, w, past.anchor + later.anchor));
  return share * fma(past.numerator, later.numerator, past.denominator * later.denominator);
}
`;

/**
 * Statements for a step backwards: adds its contribution to the adjoint `later`, after `results`. Those may use the
 * gradients `gk` and `gv` of key and value, and the step's contributions `w1` and `u1` to the gradients of decay
 * and bonus.
 */
export function adjointOfStep(past: string, k: string, v: string, g: string, results: string): string {
  return `
      let adjoint = outputAdjoint(${past}, w, u, ${k}, ${v}, ${g});
      let share = power(fma(later.age, w, ${k} + later.anchor));
      let gk = fma(share, fma(later.numerator, ${v}, later.denominator), adjoint.exponent);
      let gv = fma(share, later.numerator, adjoint.value);
      let u1 = adjoint.exponent;
      let w1 = meet(${past}, later, 1.0, w);
      ${results}
      later = extend(later, adjoint.past, 1.0, w);`;
}

/**
 * Statements for the last `count` steps, at most a block, from the last to the first. Each is a
 * {@linkcode adjointOfStep} with its element in `here`. The first step is at the element `at`, and the variable `past0`
 * holds the sums before it.
 */
export function adjointOfBlock(results: string): string {
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
      let here = at${i};${adjointOfStep(`past${i}`, `k${i}`, `v${i}`, `g${i}`, results)}
    }`);
  return [...loads, ...states, ...steps].join("");
}
