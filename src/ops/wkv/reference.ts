import { doubles } from "../../allocate.ts";
import type { Floats } from "../../tensor.ts";

/**
 * The lower bound of decays, which already suppresses everything. An infinite decay, such as -e^89 in single
 * precision, times no steps would be NaN, where the last step should count fully.
 */
const steepest = -1e38;

/**
 * The WKV recurrence, one channel at a time. Numerator and denominator have a scale of e^(q + n·w): the anchor q is
 * the key that last set the largest exponent, and n the number of steps since. Anchor and age are exact, whereas
 * rounding `exponent + w` at every step would drift.
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
      const w = Math.max(decay[c], steepest), u = bonus[c];
      let numerator = state[rows + c];
      let denominator = state[rows + channels + c];
      let anchor = state[rows + 2 * channels + c];
      let age = state[rows + 3 * channels + c];
      for (let t = 0; t < time; t++) {
        const at = (b * time + t) * channels + c;
        const k = key[at], v = value[at];

        const ahead = k - anchor - age * w + u;
        const pastShare = Math.exp(Math.min(0, -ahead)), share = Math.exp(Math.min(0, ahead));
        y[at] = (pastShare * numerator + share * v) / (pastShare * denominator + share);

        const above = k - anchor - (age + 1) * w;
        if (above > 0) {
          const kept = Math.exp(-above);
          numerator = kept * numerator + v;
          denominator = kept * denominator + 1;
          anchor = k;
          age = 0;
        } else {
          const added = Math.exp(above);
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

/** The adjoint of the recurrence, one channel at a time: see `wkvOp` */
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
  // The state before each step, and after the last.
  const numerators = doubles(time + 1), denominators = doubles(time + 1);
  const anchors = doubles(time + 1), ages = doubles(time + 1);
  for (let c = 0; c < channels; c++) {
    const w = Math.max(decay[c], steepest), u = bonus[c];
    let gw = 0, gu = 0;
    for (let b = 0; b < batch; b++) {
      const [a, d, q, n] = [0, 1, 2, 3].map((row) => (4 * b + row) * channels + c);
      numerators[0] = state[a];
      denominators[0] = state[d];
      anchors[0] = state[q];
      ages[0] = state[n];
      // The step whose key is the last state's anchor; -1 if it is still that of the first state.
      let renewed = -1;
      for (let t = 0; t < time; t++) {
        const at = (b * time + t) * channels + c;
        const k = key[at], above = k - anchors[t] - (ages[t] + 1) * w;
        if (above > 0) renewed = t;
        const kept = Math.exp(Math.min(0, -above)), added = Math.exp(Math.min(0, above));
        numerators[t + 1] = kept * numerators[t] + added * value[at];
        denominators[t + 1] = kept * denominators[t] + added;
        anchors[t + 1] = renewed === t ? k : anchors[t];
        ages[t + 1] = renewed === t ? 0 : ages[t] + 1;
      }

      // The last state holds the sums A and B at the scale e^(anchor + age·w): a = A e^-(anchor + age·w), b
      // likewise.
      const shrink = numerators[time] * gNextState[a] + denominators[time] * gNextState[d];
      const gAnchor = gNextState[q] - shrink;
      gw -= ages[time] * shrink;
      // The adjoint of later steps has the gradients ga·e^exponent of A and gb·e^exponent of B, with exponent
      // anchor + age·w - lift·u.
      let anchor = -anchors[time], age = -ages[time], lift = 0;
      let ga = gNextState[a], gb = gNextState[d];
      for (let t = time - 1; t >= 0; t--) {
        const at = (b * time + t) * channels + c;
        const k = key[at], v = value[at];
        const ahead = k - anchors[t] - ages[t] * w + u;
        const pastShare = Math.exp(Math.min(0, -ahead)), share = Math.exp(Math.min(0, ahead));
        const r = gy[at] / (pastShare * denominators[t] + share);
        const e1 = r * share, e2 = Math.exp(k + anchor + age * w - lift * u);
        gKey[at] = e1 * (v - y[at]) + e2 * (ga * v + gb) + (t === renewed ? gAnchor : 0);
        gValue[at] = e1 + e2 * ga;
        gu += e1 * (v - y[at]);
        age++;
        const through = Math.exp(anchors[t] + anchor + (ages[t] + age) * w - lift * u);
        gw += through * (numerators[t] * ga + denominators[t] * gb);
        const leads = ahead > 0;
        const leafAnchor = leads ? -k : -anchors[t], leafAge = leads ? 0 : -ages[t], leafLift = leads ? 1 : 0;
        const above = leafAnchor - anchor + (leafAge - age) * w - (leafLift - lift) * u;
        const kept = Math.exp(Math.min(0, -above)), added = Math.exp(Math.min(0, above));
        ga = kept * ga + added * r;
        gb = kept * gb - added * r * y[at];
        if (above > 0) [anchor, age, lift] = [leafAnchor, leafAge, leafLift];
      }

      const scale = Math.exp(anchors[0] + anchor + (ages[0] + age) * w - lift * u);
      gState[a] = scale * ga;
      gState[d] = scale * gb;
      const grow = scale * (numerators[0] * ga + denominators[0] * gb);
      gw += ages[0] * grow;
      // Without a step in between, these two cancel.
      const change = grow - (renewed < 0 ? shrink : 0);
      gState[q] = change + (renewed < 0 ? gNextState[q] : 0);
      gState[n] = w * change + (renewed < 0 ? gNextState[n] : 0);
    }
    gDecay[c] = gw;
    gBonus[c] = gu;
  }
}
