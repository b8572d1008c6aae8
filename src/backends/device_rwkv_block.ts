/**
 * A block of RWKV on a device whose kernels have it whole.
 *
 * @module
 */
import type { Operations, Tensor } from "../tensor.ts";
import type { Device } from "./kernels.ts";
import type { TensorStore } from "./tensor_store.ts";

/** The operation on one device, if it has the kernel; `memory` is where a tensor's values stand without gaps. */
export function deviceRwkvBlock<M>(
  device: Device<M>,
  store: TensorStore<M>,
  memory: (x: Tensor) => M,
): Operations["rwkvBlock"] {
  const { kernels, scratch } = device;
  if (kernels.rwkvBlock === undefined) return undefined;
  return (
    ln1Weight,
    ln1Bias,
    timeMixK,
    timeMixV,
    timeMixR,
    decay,
    bonus,
    timeKey,
    timeValue,
    timeReceptance,
    output,
    ln2Weight,
    ln2Bias,
    channelMixK,
    channelMixR,
    channelKey,
    channelReceptance,
    channelValue,
    x,
    timeShift,
    wkv,
    channelShift,
    epsilon,
  ) => {
    const [batch, time, channels] = x.shape;
    const [features] = channelKey.shape;
    // First, because the largest block is the first to fail.
    const working = store.make([scratch!.rwkvBlock!(batch, time, channels, features)]);
    const y = store.make(x.shape);
    const nextTimeShift = store.make(timeShift.shape);
    const nextWkv = store.make(wkv.shape);
    const nextChannelShift = store.make(channelShift.shape);
    kernels.rwkvBlock!(
      y.memory,
      nextTimeShift.memory,
      nextWkv.memory,
      nextChannelShift.memory,
      memory(ln1Weight),
      memory(ln1Bias),
      memory(timeMixK),
      memory(timeMixV),
      memory(timeMixR),
      memory(decay),
      memory(bonus),
      memory(timeKey),
      memory(timeValue),
      memory(timeReceptance),
      memory(output),
      memory(ln2Weight),
      memory(ln2Bias),
      memory(channelMixK),
      memory(channelMixR),
      memory(channelKey),
      memory(channelReceptance),
      memory(channelValue),
      memory(x),
      memory(timeShift),
      memory(wkv),
      memory(channelShift),
      batch,
      time,
      channels,
      features,
      epsilon,
      working.memory,
    );
    store.free(working);
    return [y, nextTimeShift, nextWkv, nextChannelShift];
  };
}
