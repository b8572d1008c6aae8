/**
 * The blocks of RWKV on a device whose kernels have them whole.
 *
 * @module
 */
import type { Operations, Tensor } from "../tensor.ts";
import type { Device } from "./kernels.ts";
import type { TensorStore } from "./tensor_store.ts";

/** So many weights has a block. */
const weightsEach = 18;
/** Where among them the key of its channel-mix stands, `[F, C]`. */
const channelKey = 15;

/** The operation on one device, if it has the kernel; `memory` is where a tensor's values stand without gaps. */
export function deviceRwkvBlocks<M>(
  device: Device<M>,
  store: TensorStore<M>,
  memory: (x: Tensor) => M,
): Operations["rwkvBlocks"] {
  const { kernels, scratch } = device;
  if (kernels.rwkvBlocks === undefined) return undefined;
  return (weights, x, states, epsilon) => {
    const [batch, time, channels] = x.shape;
    const features: number[] = [];
    for (let i = channelKey; i < weights.length; i += weightsEach) features.push(weights[i].shape[0]);
    // First, because the largest block is the first to fail.
    const working = store.make([
      scratch!.rwkvBlocks!(features.length, batch, time, channels, Math.max(...features)),
    ]);
    const y = store.make(x.shape);
    const nextStates = states.map((state) => store.make(state.shape));
    kernels.rwkvBlocks!(
      y.memory,
      nextStates.map((state) => state.memory),
      weights.map(memory),
      memory(x),
      states.map(memory),
      batch,
      time,
      channels,
      features,
      epsilon,
      working.memory,
    );
    store.free(working);
    return [y, nextStates];
  };
}
