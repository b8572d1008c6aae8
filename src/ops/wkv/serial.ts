/**
 * The WKV scan with an invocation for each channel: the least memory traffic, and enough parallelism if there are
 * many channels.
 *
 * @module
 */
import type { Kernels } from "../../backends/kernels.ts";
import type { Gpu, GpuBlock } from "../../backends/webgpu/gpu.ts";
import { bindings } from "../../backends/webgpu/wgsl.ts";
import { groupsOfAll, mainOfAll, readSums, replayStep, sums, walk, writeSums } from "./walk.ts";

/**
 * The most steps in a dispatch: systems abort dispatches that take seconds, and a software driver ends the loops of
 * an invocation after 65,535 iterations.
 */
export const stepsAtOnce = 32_768;

const code = [
  bindings({
    sizes: ["batch", "time", "channels", "start", "count"],
    outputs: ["y", "nextState"],
    inputs: ["decay", "bonus", "key", "value", "state"],
  }),
  sums,
  readSums("readState", "state"),
  readSums("readNext", "nextState"),
  writeSums("writeNext", "nextState"),
  mainOfAll(`
  if (id >= params.batch * params.channels) { return; }
  let batch = id / params.channels;
  let channel = id % params.channels;
  let w = finiteDecay(decay[channel]);
  let u = bonus[channel];
  let stateAt = 4u * batch * params.channels + channel;
  var past: Sums;
  if (params.start == 0u) { past = readState(stateAt); } else { past = readNext(stateAt); }
  let count = params.count;
  let first = (batch * params.time + params.start) * params.channels + channel;
  ${walk(replayStep)}
  writeNext(stateAt, past);`),
].join("");

/** The blocks and sizes of the kernel `wkv`. */
export type WkvArguments = Parameters<Kernels<GpuBlock>["wkv"]>;

/** The kernel `wkv`. */
export function wkvSerial(gpu: Gpu, ...args: WkvArguments): void {
  const [y, nextState, decay, bonus, key, value, state, batch, time, channels] = args;
  let start = 0;
  do {
    const count = Math.min(stepsAtOnce, time - start);
    gpu.dispatch({
      code,
      outputs: [y, nextState],
      inputs: [decay, bonus, key, value, state],
      sizes: [batch, time, channels, start, count],
      workgroups: groupsOfAll(batch * channels, gpu.limits),
    });
    start += count;
  } while (start < time);
}
