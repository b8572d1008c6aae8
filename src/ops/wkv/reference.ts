import type { Floats } from "../../tensor.ts";

/**
 * The WKV recurrence, one channel at a time. The numerator and the denominator are held at a scale of e^(q + n·w):
 * the anchor q is the key that last set the largest exponent, and n the steps since. Rounding `exponent + w` at every
 * step instead would drift; anchor and age are exact.
 */
export function wkv(
  y: Floats,
  nextState: Floats,
  decay: Floats,
  bonus: Floats,
  key: Floats,
  value: Floats,
  state: Floats,
  batch: number,
  time: number,
  channels: number,
): void {
  for (let b = 0; b < batch; b++) {
    const rows = 4 * b * channels;
    for (let c = 0; c < channels; c++) {
      const w = decay[c], u = bonus[c];
      let numerator = state[rows + c];
      let denominator = state[rows + channels + c];
      let anchor = state[rows + 2 * channels + c];
      let age = state[rows + 3 * channels + c];
      for (let t = 0; t < time; t++) {
        const at = (b * time + t) * channels + c;
        const k = key[at], v = value[at];

        const past = anchor + age * w;
        const top = Math.max(past, u + k);
        const pastShare = Math.exp(past - top), share = Math.exp(u + k - top);
        y[at] = (pastShare * numerator + share * v) / (pastShare * denominator + share);

        const decayed = anchor + (age + 1) * w;
        if (k > decayed) {
          const kept = Math.exp(decayed - k);
          numerator = kept * numerator + v;
          denominator = kept * denominator + 1;
          anchor = k;
          age = 0;
        } else {
          const added = Math.exp(k - decayed);
          numerator += added * v;
          denominator += added;
          age++;
        }
      }
      nextState[rows + c] = numerator;
      nextState[rows + channels + c] = denominator;
      nextState[rows + 2 * channels + c] = anchor;
      nextState[rows + 3 * channels + c] = age;
    }
  }
}
