/**
 * The gradients of a device's operations: what each allocates, and which sizes its kernel is told.
 *
 * @module
 */
import { hostArray } from "../allocate.ts";
import type { BackwardOperations, Tensor } from "../tensor.ts";
import { rowsOf, sizeOf } from "../tree.ts";
import type { Device, Kernels } from "./kernels.ts";
import type { TensorStore } from "./tensor_store.ts";

type BackwardKernel<M> = {
  [K in keyof Kernels<M>]-?: K extends `${string}Backward${string}` ? K : never;
}[keyof Kernels<M>];

/** The gradients of one device's operations; `memory` is where a tensor's values stand row-major without gaps. */
export function deviceBackward<M>(
  device: Device<M>,
  store: TensorStore<M>,
  memory: (x: Tensor) => M,
  kernels: () => Kernels<M>,
  upload: (memory: M, data: ArrayLike<number>) => void,
): BackwardOperations {
  /** Makes the results of these shapes and has the kernel fill them. */
  function call(
    name: BackwardKernel<M>,
    shapes: readonly (readonly number[] | null)[],
    inputs: readonly (M | null)[],
    sizes: readonly number[],
  ): Tensor[] {
    // If it fails it leaves nothing behind.
    if (store.outsideScopes) return store.scope(() => call(name, shapes, inputs, sizes));
    const results = shapes.map((shape) => shape && store.make(shape));
    const scratch = store.makeScratch(device.scratch?.[name]?.(...sizes));
    const args = results.map((result): M | number | null => result && result.memory)
      .concat(inputs, sizes, scratch ? [scratch.memory] : []);
    (kernels()[name] as (...args: (M | number | null)[]) => void)(...args);
    store.free(scratch);
    return results as Tensor[];
  }

  function elementwise(name: BackwardKernel<M>, gy: Tensor, other: Tensor): Tensor {
    return call(name, [other.shape], [memory(gy), memory(other)], [sizeOf(other.shape)])[0];
  }

  return {
    embedding(gy, ids, vocabulary) {
      const channels = gy.shape[gy.shape.length - 1];
      const sizes = [sizeOf(ids.shape), vocabulary, channels];
      return call("embeddingBackward", [[vocabulary, channels]], [memory(gy), memory(ids)], sizes)[0];
    },

    linearInput(gy, weight) {
      const [outputs, inputs] = weight.shape;
      const shape = [...gy.shape.slice(0, -1), inputs];
      const sizes = [rowsOf(shape), inputs, outputs];
      return call("linearBackwardInput", [shape], [memory(gy), memory(weight)], sizes)[0];
    },

    linearWeight(gy, x, bias) {
      const inputs = x.shape[x.shape.length - 1], outputs = gy.shape[gy.shape.length - 1];
      const shapes = [[outputs, inputs], bias ? [outputs] : null];
      const sizes = [rowsOf(x.shape), inputs, outputs];
      const [gWeight, gBias] = call("linearBackwardWeight", shapes, [memory(gy), memory(x)], sizes);
      return [gWeight, gBias];
    },

    layerNorm(gy, x, weight, epsilon) {
      const shapes = [x.shape, weight.shape, weight.shape];
      const sizes = [rowsOf(x.shape), weight.shape[0], epsilon];
      const [gx, gWeight, gBias] = call("layerNormBackward", shapes, [gy, x, weight].map(memory), sizes);
      return [gx, gWeight, gBias];
    },

    mix(gy, x, before, ratio) {
      const shapes = [x.shape, x.shape, ratio.shape];
      const sizes = [rowsOf(x.shape), ratio.shape[0]];
      const [gx, gBefore, gRatio] = call("mixBackward", shapes, [gy, x, before, ratio].map(memory), sizes);
      return [gx, gBefore, gRatio];
    },

    sigmoid: (gy, x) => elementwise("sigmoidBackward", gy, x),
    tanh: (gy, x) => elementwise("tanhBackward", gy, x),
    squaredRelu: (gy, x) => elementwise("squaredReluBackward", gy, x),
    gelu: (gy, x) => elementwise("geluBackward", gy, x),
    negativeExp: (gy, x) => elementwise("negativeExpBackward", gy, x),

    softmax(gy, y) {
      const sizes = [rowsOf(y.shape), y.shape[y.shape.length - 1]];
      return call("softmaxBackward", [y.shape], [memory(gy), memory(y)], sizes)[0];
    },

    shiftTime(gy) {
      const [batch, time, channels] = gy.shape;
      const shapes = [gy.shape, [batch, channels]];
      const [gx, gFirst] = call("shiftTimeBackward", shapes, [memory(gy)], [batch, time, channels]);
      return [gx, gFirst];
    },

    lastStep(gy, time) {
      const batch = gy.shape[0], channels = gy.shape[gy.shape.length - 1];
      const shapes = [[batch, time, channels]];
      return call("lastStepBackward", shapes, [memory(gy)], [batch, time, channels])[0];
    },

    appendTime(gy, before) {
      const [batch, after, channels] = gy.shape;
      const from = memory(gy);
      const part = (start: number, time: number) => {
        const y = store.make([batch, time, channels]);
        const width = time * channels;
        kernels().copyRows(
          y.memory,
          0,
          width,
          from,
          start * channels,
          after * channels,
          batch,
          width,
        );
        return y;
      };
      return store.scope((): [Tensor, Tensor] => [part(0, before), part(before, after - before)]);
    },

    wkv(gy, gNextState, decay, bonus, key, value, state, y) {
      const shapes = [decay, bonus, key, value, state].map(({ shape }) => shape);
      const inputs = [gy, gNextState, decay, bonus, key, value, state, y].map(memory);
      const grads = call("wkvBackward", shapes, inputs, key.shape);
      return grads as [Tensor, Tensor, Tensor, Tensor, Tensor];
    },

    rotary(gy, heads, position, base) {
      return call("rotaryBackward", [gy.shape], [memory(gy)], [...gy.shape, heads, position, base])[0];
    },

    attention(gy, query, key, value, y, heads) {
      const [batch, queryTime, channels] = query.shape;
      const keys = store.alive(key), values = store.alive(value);
      const inputs = [memory(gy), memory(query), keys.memory, values.memory, memory(y)];
      const times = [batch, queryTime, key.shape[1], keys.stepsApart, values.stepsApart];
      const shapes = [query, key, value].map(({ shape }) => shape);
      const grads = call("attentionBackward", shapes, inputs, [...times, channels, heads]);
      return grads as [Tensor, Tensor, Tensor];
    },

    lstmRecurrence(gy, gNextHidden, gNextCell, preactivations, hiddenWeight, cell) {
      const shapes = [preactivations, cell, cell].map(({ shape }) => shape);
      const inputs = [gy, gNextHidden, gNextCell, preactivations, hiddenWeight, cell].map(memory);
      const grads = call("lstmRecurrenceBackward", shapes, inputs, gy.shape);
      return grads as [Tensor, Tensor, Tensor];
    },

    crossEntropy(gLoss, logits, targets, weights) {
      const inputs = [...[gLoss, logits, targets].map(memory), weights && memory(weights)];
      const sizes = [rowsOf(logits.shape), logits.shape[logits.shape.length - 1]];
      return call("crossEntropyBackward", [logits.shape], inputs, sizes)[0];
    },

    sliceBatch(gy, start, total) {
      const [batch, ...rest] = gy.shape;
      const width = sizeOf(rest), shape = [total, ...rest];
      const zero = hostArray("allocate tensor", Float32Array, sizeOf(shape), store.use().bytes);
      const gx = store.make(shape);
      upload(gx.memory, zero);
      kernels().copyRows(gx.memory, start * width, width, memory(gy), 0, width, batch, width);
      return gx;
    },
  };
}
