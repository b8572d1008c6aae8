/**
 * The blocks of RWKV on a device whose kernels have them whole. In the decoding of a token, looking at every weight
 * again would cost more than anything else outside the kernels.
 *
 * @module
 */
import type { RwkvStack, RwkvStacks } from "../engine.ts";
import type { Tensor } from "../tensor.ts";
import type { Device } from "./kernels.ts";
import type { TensorStore } from "./tensor_store.ts";

/** So many weights has a block. */
const weightsEach = 18;
/** Where among them the key of its channel-mix stands, `[F, C]`. */
const channelKey = 15;

interface Prepared {
  readonly weights: readonly Tensor[];
  readonly run: RwkvStack;
  /** Whether all of the weights are. */
  readonly alive: () => boolean;
}

/** The stacks of one device, if it has the kernel; `memory` is where a tensor's values stand without gaps. */
export function deviceRwkvStacks<M>(
  device: Device<M>,
  store: TensorStore<M>,
  memory: (x: Tensor) => M,
): RwkvStacks | undefined {
  const kernel = device.kernels.rwkvBlocks, scratch = device.scratch?.rwkvBlocks;
  if (kernel === undefined || scratch === undefined) return undefined;
  /** Each under the first of its weights. */
  const stacks = new WeakMap<Tensor, Prepared>();
  return {
    find(weights) {
      const prepared = stacks.get(weights[0]);
      return prepared !== undefined && sameTensors(prepared.weights, weights) && prepared.alive()
        ? prepared.run
        : undefined;
    },
    prepare(weights) {
      const own = weights.map((x) => store.alive(x));
      const features: number[] = [];
      for (let i = channelKey; i < own.length; i += weightsEach) features.push(own[i].shape[0]);
      const addresses = own.map((t) => t.memory), most = Math.max(...features);
      const run: RwkvStack = (x, states, epsilon) => {
        // If it fails it leaves nothing behind.
        if (store.outsideScopes) return store.scope(() => run(x, states, epsilon));
        const [batch, time, channels] = x.shape;
        // First, because the largest block is the first to fail.
        const working = store.make([scratch(features.length, batch, time, channels, most)]);
        const y = store.make(x.shape);
        const nextStates: Tensor[] = [], from: M[] = [], to: M[] = [];
        for (const state of states) {
          const next = store.make(state.shape);
          nextStates.push(next), from.push(memory(state)), to.push(next.memory);
        }
        kernel(
          y.memory,
          to,
          addresses,
          memory(x),
          from,
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
      stacks.set(weights[0], { weights, run, alive: store.watch(own) });
      return run;
    },
  };
}

function sameTensors(a: readonly Tensor[], b: readonly Tensor[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
