/**
 * Copies of tensors whose axes are permuted, reversed or repeated.
 *
 * @module
 */
import type { Workspace } from "../../backends/kernels.ts";
import type { DeviceTensor } from "../../backends/tensor_store.ts";

/** An axis of a view: its size, and the number of elements from one index to the next. */
export interface Axis {
  readonly size: number;
  readonly stride: number;
}

/** The most axes of the kernel. */
const most = 6;
const single: Axis = { size: 1, stride: 0 };

/** The number of elements between two indices of each axis of a row-major tensor. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  for (let axis = shape.length - 1, stride = 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** As few axes as possible: those of one element are left out, and adjacent ones that can be counted through joined. */
function joined(axes: readonly Axis[]): Axis[] {
  const result: Axis[] = [];
  for (const axis of axes) {
    if (axis.size === 1) continue;
    const last = result.at(-1);
    if (last !== undefined && last.stride === axis.stride * axis.size) {
      result[result.length - 1] = { size: last.size * axis.size, stride: axis.stride };
    } else result.push(axis);
  }
  return result;
}

/** Writes all of `y`: the elements of a view of `x`, whose first is at `offset`, in row-major order. */
export function copyView<M>(
  { call }: Workspace<M>,
  y: DeviceTensor<M>,
  x: M,
  offset: number,
  view: readonly Axis[],
): void {
  if (view.some(({ size }) => size === 0)) return;
  const axes = joined(view);
  if (axes.length === 0) axes.push({ size: 1, stride: 1 });
  if (axes.length === 1 && axes[0].stride === 1) {
    // A compiled function leaves such copies out, if they are of everything.
    const [{ size }] = axes;
    return call("copyRows", y.memory, 0, size, x, offset, size, 1, size);
  }
  const outer = axes.slice(0, -most), inner = axes.slice(-most);
  const [a, b, c, d, e, f] = [...new Array<Axis>(most - inner.length).fill(single), ...inner];
  const size = inner.reduce((product, axis) => product * axis.size, 1);
  let at = 0;
  const copyFrom = (from: number, depth: number): void => {
    if (depth < outer.length) {
      for (let i = 0; i < outer[depth].size; i++) copyFrom(from + i * outer[depth].stride, depth + 1);
      return;
    }
    call(
      "copyStrided",
      ...[y.memory, at, x, from] as const,
      ...[a.size, b.size, c.size, d.size, e.size, f.size] as const,
      ...[a.stride, b.stride, c.stride, d.stride, e.stride, f.stride] as const,
    );
    at += size;
  };
  copyFrom(offset, 0);
}
