import { doubles } from "../../allocate.ts";
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

/** The combine backwards, one channel at a time: see `wkvGradient` */
export function wkvBackward(
  gDecay: Floats,
  gBonus: Floats,
  gKey: Floats,
  gValue: Floats,
  gState: Floats,
  gy: Floats,
  gNextState: Floats,
  decay: Floats,
  bonus: Floats,
  key: Floats,
  value: Floats,
  state: Floats,
  y: Floats,
  batch: number,
  time: number,
  channels: number,
): void {
  // The state before each step, and behind the last.
  const numerators = doubles(time + 1), denominators = doubles(time + 1);
  const anchors = doubles(time + 1), ages = doubles(time + 1);
  for (let c = 0; c < channels; c++) {
    const w = decay[c], u = bonus[c];
    let gw = 0, gu = 0;
    for (let b = 0; b < batch; b++) {
      const [a, d, q, n] = [0, 1, 2, 3].map((row) => (4 * b + row) * channels + c);
      numerators[0] = state[a];
      denominators[0] = state[d];
      anchors[0] = state[q];
      ages[0] = state[n];
      // The step whose key is the last state's anchor; -1 where that still is the first state's.
      let renewed = -1;
      for (let t = 0; t < time; t++) {
        const at = (b * time + t) * channels + c;
        const k = key[at], decayed = anchors[t] + (ages[t] + 1) * w;
        if (k > decayed) renewed = t;
        const kept = Math.exp(Math.min(0, decayed - k)), added = Math.exp(Math.min(0, k - decayed));
        numerators[t + 1] = kept * numerators[t] + added * value[at];
        denominators[t + 1] = kept * denominators[t] + added;
        anchors[t + 1] = renewed === t ? k : anchors[t];
        ages[t + 1] = renewed === t ? 0 : ages[t] + 1;
      }

      // The last state is the sums A and B at the scale e^(anchor + age·w): a = A e^-(anchor + age·w), b likewise.
      const shrink = numerators[time] * gNextState[a] + denominators[time] * gNextState[d];
      const gAnchor = gNextState[q] - shrink;
      gw -= ages[time] * shrink;
      // What comes later has the gradients ga·e^exponent of A, gb·e^exponent of B.
      let anchor = -anchors[time], age = -ages[time];
      let ga = gNextState[a], gb = gNextState[d];
      for (let t = time - 1; t >= 0; t--) {
        const at = (b * time + t) * channels + c;
        const k = key[at], v = value[at];
        const past = anchors[t] + ages[t] * w;
        const top = Math.max(past, u + k);
        const pastShare = Math.exp(past - top), share = Math.exp(u + k - top);
        const r = gy[at] / (pastShare * denominators[t] + share);
        const e1 = r * share, e2 = Math.exp(k + anchor + age * w);
        gKey[at] = e1 * (v - y[at]) + e2 * (ga * v + gb);
        if (t === renewed) gKey[at] += gAnchor;
        gValue[at] = e1 + e2 * ga;
        gu += e1 * (v - y[at]);
        const earlier = anchor + (age + 1) * w;
        gw += Math.exp(past + earlier) * (numerators[t] * ga + denominators[t] * gb);
        if (-top > earlier) {
          const kept = Math.exp(earlier + top);
          ga = kept * ga + r;
          gb = kept * gb - r * y[at];
          anchor = -top;
          age = 0;
        } else {
          const added = Math.exp(-top - earlier);
          ga += added * r;
          gb -= added * r * y[at];
          age++;
        }
      }

      const scale = Math.exp(anchors[0] + anchor + (ages[0] + age) * w);
      gState[a] = scale * ga;
      gState[d] = scale * gb;
      const grow = scale * (numerators[0] * ga + denominators[0] * gb);
      gw += ages[0] * grow;
      gState[q] = grow + (renewed < 0 ? gAnchor : 0);
      gState[n] = w * grow + (renewed < 0 ? gNextState[n] - w * shrink : 0);
    }
    gDecay[c] = gw;
    gBonus[c] = gu;
  }
}
