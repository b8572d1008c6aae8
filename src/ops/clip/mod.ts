/**
 * The norm of many tensors, and scaling by it if it exceeds a bound: see `src/train/clip.ts`.
 *
 * @module
 */
import { run } from "../../compute.ts";
import { defineOperation } from "../../operation.ts";
import { sizeOf } from "../../tree.ts";

/** `scale·‖x‖`, the Euclidean norm of all tensors as one vector x, computed as the norm of their norms. */
export const normOp = defineOperation({
  name: "norm",
  action: "take norm",
  inputs: ["...tensors: ..."],
  outputs: ["y:"],
  constants: ["scale"],
  compute({ store, memory, call }, tensors, [scale]) {
    const y = store.make([]), norms = store.make([tensors.length]);
    tensors.forEach((x, i) => call("norm", norms.memory, memory(x), sizeOf(x.shape), i, scale));
    call("norm", y.memory, norms.memory, tensors.length, 0, 1);
    store.free(norms);
    return [y];
  },
  gradient: "none",
});

/** `‖x‖²` of all tensors as one vector x. */
export const squaredNormOp = defineOperation({
  name: "squaredNorm",
  action: "take norm",
  inputs: ["...tensors: ..."],
  outputs: ["y:"],
  compute(device, tensors) {
    const [norm] = normOp.compute!(device, tensors, [1]), y = device.store.make([]);
    device.call("multiply", y.memory, device.memory(norm), device.memory(norm), 1);
    device.store.free(norm);
    return [y];
  },
  gradient: ({ inputs, grads: [gy], wanted }) =>
    inputs.map((x, i) => wanted[i] ? run(squaredNormBackwardOp, [x, gy])[0] : null),
});

/** gx = 2·gy·x. */
export const squaredNormBackwardOp = defineOperation({
  name: "squaredNormBackward",
  action: "differentiate norm",
  inputs: ["x: ...", "gy:"],
  outputs: ["gx: ..."],
  sizes: ["..."],
  gradient: "none",
});

/** `x·min(1, maxNorm / (N + 1e-6))` where `norm` is scale·N. */
export const clipToNormOp = defineOperation({
  name: "clipToNorm",
  action: "clip gradients",
  inputs: ["x: ...", "norm:"],
  outputs: ["y: ..."],
  sizes: ["..."],
  constants: ["maxNorm", "scale"],
  gradient: "none",
  example: { norm: Math.abs },
});
