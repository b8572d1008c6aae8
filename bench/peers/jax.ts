/**
 * The models in jax-js, each as a jitted function of a token.
 *
 * @module
 */
import { init, jit, nn, numpy as np } from "@jax-js/jax";
import { type Peer, tokenPeer } from "./peer.ts";
import type { Case, HostTensor, LstmWeights, RwkvWeights, TransformerWeights } from "./case.ts";

type JaxArray = np.Array;
/** A step of a model: consumes token, position and state, and returns the logits and the next state. */
interface JaxModel {
  readonly start: () => JaxArray[];
  readonly step: (token: JaxArray, position: JaxArray, state: JaxArray[]) => JaxArray[];
}

/** jax-js on its wasm device. Reading synchronously makes it compute on this thread instead of its workers. */
export const jax: Peer = {
  name: "jax-js",
  async open(subject) {
    await init("wasm");
    const { start, step } = modelOf(subject);
    const compiled = jit(step);
    let state: JaxArray[] = [];
    return tokenPeer(subject, {
      reset() {
        state.forEach((part) => part.dispose());
        state = start();
      },
      step(token, { position }) {
        const [logits, ...next] = compiled(
          np.array([token], { dtype: np.int32 }),
          np.array([position], { dtype: np.int32 }),
          state,
        );
        state = next;
        return logits.dataSync() as Float32Array;
      },
      close() {
        state.forEach((part) => part.dispose());
      },
    });
  },
};

function modelOf(subject: Case): JaxModel {
  switch (subject.model) {
    case "rwkv":
      return rwkvModel(subject.weights);
    case "transformer":
      return transformerModel(subject.weights, subject.length);
    case "lstm":
      return lstmModel(subject.weights);
  }
}

const array = ({ data, shape }: HostTensor) => np.array(data, { shape: [...shape] });
const zeros = (...shape: number[]) => np.zeros(shape);

/** x·Wᵀ for a vector x. */
function linear(weight: HostTensor, x: JaxArray): JaxArray {
  return np.matmul(array(weight), x);
}

function layerNorm({ weight, bias }: { weight: HostTensor; bias: HostTensor }, x: JaxArray): JaxArray {
  return nn.standardize(x).mul(array(weight)).add(array(bias));
}

function embedding(weight: HostTensor, token: JaxArray): JaxArray {
  return np.take(array(weight), token, 0).reshape([weight.shape[1]]);
}

function mix(x: JaxArray, before: JaxArray, ratio: HostTensor): JaxArray {
  return before.ref.add(x.sub(before).mul(array(ratio)));
}

function rwkvModel({ embedding: table, ln0, blocks, lnOut, head }: RwkvWeights): JaxModel {
  const [channels] = lnOut.weight.shape;
  return {
    start: () =>
      blocks.flatMap(() => [
        zeros(channels),
        zeros(channels),
        zeros(channels),
        np.full([channels], -1e38),
        zeros(channels),
      ]),
    step(token, position, state) {
      position.dispose();
      let x = layerNorm(ln0, embedding(table, token));
      const next: JaxArray[] = [];
      blocks.forEach(({ ln1, timeMix, ln2, channelMix }, layer) => {
        const [timeShift, a, b, exponent, channelShift] = state.slice(5 * layer, 5 * layer + 5);
        let h = layerNorm(ln1, x.ref);
        const key = linear(timeMix.key, mix(h.ref, timeShift.ref, timeMix.mixK));
        const value = linear(timeMix.value, mix(h.ref, timeShift.ref, timeMix.mixV));
        const gate = nn.sigmoid(linear(timeMix.receptance, mix(h.ref, timeShift, timeMix.mixR)));
        next.push(h);

        const weighted = (past: JaxArray, now: JaxArray, a: JaxArray, b: JaxArray, value: JaxArray) => {
          const top = np.maximum(past.ref, now.ref);
          const e1 = np.exp(past.sub(top.ref)), e2 = np.exp(now.sub(top.ref));
          return [e1.ref.mul(a).add(e2.ref.mul(value)), e1.mul(b).add(e2), top];
        };
        const bonus = key.ref.add(array(timeMix.bonus));
        const [above, below, unused] = weighted(exponent.ref, bonus, a.ref, b.ref, value.ref);
        unused.dispose();
        const decay = np.negative(np.exp(array(timeMix.decay)));
        next.push(...weighted(exponent.add(decay), key, a, b, value));
        x = x.add(linear(timeMix.output, gate.mul(above.div(below))));

        h = layerNorm(ln2, x.ref);
        const hidden = np.square(
          nn.relu(linear(channelMix.key, mix(h.ref, channelShift.ref, channelMix.mixK))),
        );
        const open = nn.sigmoid(linear(channelMix.receptance, mix(h.ref, channelShift, channelMix.mixR)));
        next.push(h);
        x = x.add(open.mul(linear(channelMix.value, hidden)));
      });
      return [linear(head, layerNorm(lnOut, x)), ...next];
    },
  };
}

function transformerModel(
  { embedding: table, blocks, lnOut, head }: TransformerWeights,
  capacity: number,
): JaxModel {
  const [channels] = lnOut.weight.shape;
  return {
    // The cache is [capacity, C], of a constant size, since every other size would be compiled again.
    start: () => blocks.flatMap(() => [zeros(capacity, channels), zeros(capacity, channels)]),
    step(token, position, state) {
      const here = np.equal(np.arange(capacity), position.ref).reshape([capacity, 1]);
      let x = embedding(table, token);
      const next: JaxArray[] = [];
      blocks.forEach(({ ln1, attention, ln2, feedForward }, layer) => {
        const { heads, rotaryBase } = attention;
        const turn = (t: JaxArray) => rotaryBase ? rotate(t, position.ref, heads, rotaryBase) : t;
        const h = layerNorm(ln1, x.ref);
        const query = turn(linear(attention.query, h.ref));
        const keys = np.where(here.ref, turn(linear(attention.key, h.ref)), state[2 * layer]);
        const values = np.where(here.ref, linear(attention.value, h), state[2 * layer + 1]);
        next.push(keys.ref, values.ref);
        const byHead = (t: JaxArray) => t.reshape([-1, heads, channels / heads]);
        const mixed = nn.dotProductAttention(byHead(query), byHead(keys), byHead(values), {
          keyValueSeqLengths: position.ref.add(1),
        });
        x = x.add(linear(attention.output, mixed.reshape([channels])));
        const hidden = nn.gelu(linear(feedForward.up, layerNorm(ln2, x.ref)), { approximate: true });
        x = x.add(linear(feedForward.down, hidden));
      });
      here.dispose();
      position.dispose();
      return [linear(head, layerNorm(lnOut, x)), ...next];
    },
  };
}

/** Rotates the pairs (i, i + N/2) of each head by position·base^(-2i/N). */
function rotate(t: JaxArray, position: JaxArray, heads: number, base: number): JaxArray {
  const [channels] = t.shape;
  const size = channels / heads, half = size / 2;
  const speed = np.array(Float32Array.from({ length: half }, (_, i) => base ** (-2 * i / size)));
  const angle = speed.mul(position.astype(np.float32));
  const cos = np.cos(angle.ref), sin = np.sin(angle);
  const [left, right] = np.split(t.reshape([heads, size]), 2, 1);
  const turned = [
    left.ref.mul(cos.ref).sub(right.ref.mul(sin.ref)),
    right.mul(cos).add(left.mul(sin)),
  ];
  return np.concatenate(turned, 1).reshape([channels]);
}

function lstmModel({ embedding: table, layers, head }: LstmWeights): JaxModel {
  const [, channels] = table.shape;
  return {
    start: () => layers.flatMap(() => [zeros(channels), zeros(channels)]),
    step(token, position, state) {
      position.dispose();
      let x = embedding(table, token);
      const next: JaxArray[] = [];
      layers.forEach(({ inputWeight, hiddenWeight, bias }, layer) => {
        const [hidden, cell] = state.slice(2 * layer, 2 * layer + 2);
        const gates = linear(inputWeight, x).add(linear(hiddenWeight, hidden)).add(array(bias));
        const [i, f, g, o] = np.split(gates, 4);
        const nextCell = nn.sigmoid(f).mul(cell).add(nn.sigmoid(i).mul(np.tanh(g)));
        x = nn.sigmoid(o).mul(np.tanh(nextCell.ref));
        next.push(x.ref, nextCell);
      });
      return [linear(head, x), ...next];
    },
  };
}
