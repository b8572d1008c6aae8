/**
 * Gathers and scatters rows by indices that are known on the host, so that some sequences or steps of a batch can be
 * left out of a computation.
 *
 * @module
 */
import type { Workspace } from "../../backends/kernels.ts";
import type { DeviceTensor } from "../../backends/tensor_store.ts";
import { backendOfAll } from "../../check.ts";
import { compute } from "../../compute.ts";
import { engineOf } from "../../engine.ts";
import { defineOperation } from "../../operation.ts";
import type { Tensor } from "../../tensor.ts";
import { sizeOf } from "../../tree.ts";

const action = "pick rows";

/**
 * Gathers rows: y[k] = x[indices[k]]. The first axes of x, as many as `shape` has, are treated as one.
 *
 * @param shape the first axes of y: the number of rows, or `[B, T]`
 * @param indices each at most once
 */
export function pick(x: Tensor, shape: readonly number[], indices: readonly number[]): Tensor {
  return compute(pickOp, [x], [shape.length, ...shape, ...indices])[0];
}

/**
 * Scatters rows: y[indices[k]] = row k of the concatenated parts, and 0 in all other rows.
 *
 * @param shape the first axes of y; as many axes of the parts are treated as one
 * @param indices each at most once; -1 for a row that is left out
 */
export function place(
  parts: readonly Tensor[],
  shape: readonly number[],
  indices: readonly number[],
): Tensor {
  const engine = engineOf(backendOfAll(action, parts.map((_, i) => `part ${i}`), parts));
  return engine.run(placeOp, parts, [shape.length, ...shape, ...indices])[0];
}

/** The gradient of each row is that of its place in y; 0 for rows that are not picked. */
export const pickOp = defineOperation({
  name: "pick",
  action,
  inputs: ["x: ..."],
  outputs: ["y: ..."],
  compute(device, [x], constants) {
    const { shape, indices } = read(constants), rest = x.shape.slice(shape.length);
    const y = device.store.make([...shape, ...rest]), width = sizeOf(rest), from = device.memory(x);
    for (const { at, index, rows, length, stride } of blocksOf(indices)) {
      device.call(
        "copyRows",
        y.memory,
        at * width,
        length * width,
        from,
        index * width,
        stride * width,
        rows,
        length * width,
      );
    }
    return [y];
  },
  gradient: ({ inputs: [x], constants, grads: [gy] }) => {
    const { shape, indices } = read(constants);
    return [place([gy], x.shape.slice(0, shape.length), indices)];
  },
});

/** The gradient of each row is that of its place in y; 0 for rows that are left out. */
export const placeOp = defineOperation({
  name: "place",
  action,
  inputs: ["...parts: ..."],
  outputs: ["y: ..."],
  compute(device, parts, constants) {
    const { shape, indices } = read(constants), rest = parts[0].shape.slice(shape.length);
    const y = device.store.make([...shape, ...rest]), width = sizeOf(rest);
    for (const { part, indices: own } of sharesOf(parts, constants)) {
      const from = device.memory(part);
      for (const { at, index, rows, length, stride } of blocksOf(own)) {
        device.call(
          "copyRows",
          y.memory,
          index * width,
          stride * width,
          from,
          at * width,
          length * width,
          rows,
          length * width,
        );
      }
    }
    clear(device, y, width, othersOf(indices, sizeOf(shape)));
    return [y];
  },
  gradient: ({ inputs: parts, constants, grads: [gy] }) =>
    sharesOf(parts, constants).map(({ part, axes, indices }) => {
      const shape = part.shape.slice(0, axes), placed = [...indices.keys()].filter((k) => indices[k] >= 0);
      if (placed.length === indices.length) return pick(gy, shape, indices);
      const rows = shape.map((_, axis) => axis < axes - 1 ? 1 : placed.length);
      return place([pick(gy, rows, placed.map((k) => indices[k]))], shape, placed);
    }),
});

function read([axes, ...numbers]: readonly number[]) {
  return { axes, shape: numbers.slice(0, axes), indices: numbers.slice(axes) };
}

/** The parts, each with the indices of its rows. */
function sharesOf(parts: readonly Tensor[], constants: readonly number[]) {
  const { axes, indices } = read(constants);
  let start = 0;
  return parts.map((part) => {
    const end = start + sizeOf(part.shape.slice(0, axes));
    const own = indices.slice(start, end);
    start = end;
    return { part, axes, indices: own };
  });
}

/** `rows` runs of `length` rows each: adjacent from `at` on, with a stride of `stride` rows from `index` on. */
interface Blocks {
  readonly at: number;
  readonly index: number;
  readonly rows: number;
  readonly length: number;
  readonly stride: number;
}

/** Groups indices into few blocks, each of which is a single call of a kernel. */
function blocksOf(indices: readonly number[]): Blocks[] {
  const runs: { at: number; index: number; length: number }[] = [];
  indices.forEach((index, at) => {
    const last = runs.at(-1);
    if (index < 0) return;
    if (last !== undefined && index === last.index + last.length && at === last.at + last.length) {
      last.length++;
    } else runs.push({ at, index, length: 1 });
  });
  const blocks: Blocks[] = [];
  for (let i = 0, next: number; i < runs.length; i = next) {
    const { at, index, length } = runs[i];
    const stride = i + 1 < runs.length ? runs[i + 1].index - index : 0;
    // Kernels do not support negative strides.
    for (next = i + 1; next < runs.length && stride > 0; next++) {
      const { at: start, index: from, length: own } = runs[next], count = next - i;
      if (own !== length || from !== index + count * stride || start !== at + count * length) break;
    }
    blocks.push({ at, index, rows: next - i, length, stride });
  }
  return blocks;
}

/** The indices below `count` that are not in a list. */
function othersOf(indices: readonly number[], count: number): number[] {
  if (indices.length === count && !indices.includes(-1)) return [];
  const taken = new Set(indices);
  return Array.from({ length: count }, (_, i) => i).filter((i) => !taken.has(i));
}

/** Writes zeros to rows: copies of a single row, so that a recording keeps only that one. */
function clear<M>(
  { store, upload, call }: Workspace<M>,
  y: DeviceTensor<M>,
  width: number,
  indices: number[],
): void {
  if (indices.length === 0 || width === 0) return;
  const zeros = store.make([width]);
  upload(zeros.memory, new Float32Array(width));
  for (const { index, rows, length, stride } of blocksOf(indices)) {
    for (let row = 0; row < rows; row++) {
      call("copyRows", y.memory, (index + row * stride) * width, width, zeros.memory, 0, 0, length, width);
    }
  }
}
