/**
 * A backend that records: it runs every operation on the backend inside it and remembers what it takes to go back.
 *
 * @module
 */
import { isTensor } from "../check.ts";
import { complete } from "../backends/tensor_store.ts";
import type { Backend, Floats, Operations, Tensor } from "../tensor.ts";
import { tensorsOf, treeMap } from "../tree.ts";
import { zeros } from "../transfer.ts";
import { rules } from "./rules.ts";

/** A tensor that knows what its gradient has to go back through. */
interface RecordedTensor extends Tensor {
  /** The tensor itself, on the backend inside. */
  readonly inner: Tensor;
  /** Its number among those that have gradients; -1 for a constant. */
  readonly id: number;
}

/** One operation that was run. */
interface Step {
  /** Of each argument, its number among those that have gradients, or -1. */
  readonly sources: readonly number[];
  /** The number of its first result; the others follow. */
  readonly first: number;
  readonly results: readonly Tensor[];
  /** From the results' gradients to the arguments'. */
  readonly back: (grads: readonly Tensor[], wanted: readonly boolean[]) => readonly (Tensor | null)[];
}

/** A recording in progress. */
export interface Tape {
  /** The recording backend. */
  readonly backend: Backend;
  /** A tensor of the backend inside as one that has a gradient. */
  variable(t: Tensor): Tensor;
  /** A recorded tree with its tensors as they are on the backend inside. */
  detach<T>(tree: T): T;
  /**
   * Goes back from tensors with these gradients to the variables, in the order in which those were made. Frees on the
   * way what was recorded, but for `kept` and the variables. The recording is over then.
   */
  back(from: readonly Tensor[], grads: readonly Tensor[], kept: unknown): Tensor[];
}

/** A tape over a backend. */
export function createTape(inner: Backend): Tape {
  const variables: Tensor[] = [];
  const steps: Step[] = [];
  let count = 0, over = false;

  const isRecorded = (t: unknown): t is RecordedTensor => isTensor(t) && t.backend === backend;

  function record(t: Tensor, id: number): RecordedTensor {
    return { shape: t.shape, backend, inner: t, id };
  }

  function unwrap(t: Tensor): Tensor {
    if (over) {
      throw new TypeError(
        `Cannot use tensor: its recording must be going on, current recording on ${inner.name} is over`,
      );
    }
    return t.backend === backend ? (t as RecordedTensor).inner : t;
  }

  /** Arguments with the tensors in them, one level deep, replaced. */
  const unwrapAll = (args: readonly unknown[]): unknown[] =>
    args.map((arg) => isTensor(arg) ? unwrap(arg) : Array.isArray(arg) ? unwrapAll(arg) : arg);

  type AnyRule = (...args: unknown[]) => readonly (Tensor | null)[];

  function recording(name: keyof typeof rules): (...args: unknown[]) => unknown {
    const rule = rules[name] as AnyRule | "constant" | "none";
    return (...args) => {
      const inputs = unwrapAll(args);
      const output = (inner[name] as (...args: unknown[]) => unknown)(...inputs);
      const results = isTensor(output) ? [output] : output as Tensor[];
      const sources = args.flat().map((arg) => isRecorded(arg) ? arg.id : -1);
      let first = -1;
      if (sources.some((source) => source >= 0) && rule !== "constant") {
        if (rule === "none") {
          throw new TypeError(
            `Cannot differentiate: operations must have gradient rules, current operation is ${name}`,
          );
        }
        first = count;
        count += results.length;
        const back: Step["back"] = (grads, wanted) => rule(inputs, results, grads, wanted);
        steps.push({ sources, first, results, back });
      }
      const recorded = results.map((t, i) => record(t, first < 0 ? -1 : first + i));
      return isTensor(output) ? recorded[0] : recorded;
    };
  }

  const operations = Object.fromEntries(
    (Object.keys(rules) as (keyof typeof rules)[]).map((name) => [name, recording(name)]),
  ) as unknown as Omit<Operations, "upload" | "download" | "reserveTime">;

  const backend: Backend = {
    ...operations,
    // What errors say of a tensor's place is said of the backend that computes.
    name: inner.name,
    inner,
    upload: (data, shape) => record(inner.upload(data, shape), -1),
    download: (x, room): Floats | Promise<Floats> => inner.download(unwrap(x), room),
    reserveTime: (...sizes) => record(inner.reserveTime(...sizes), -1),
    // Everything that was recorded is freed once the gradients are done.
    scope: (body) => complete(body()),
    free: () => {},
    hold: (body, after) => after(body()),
    memory: () => inner.memory(),
    resetPeak: () => inner.resetPeak(),
    get backward(): never {
      throw new TypeError("Cannot differentiate: the backend must compute, current backend records");
    },
    [Symbol.dispose]() {
      throw new TypeError(
        "Cannot dispose of recording: it ends by itself, current recording is not its user's",
      );
    },
  };

  function back(from: readonly Tensor[], seeds: readonly Tensor[], kept: unknown): Tensor[] {
    over = true;
    const grads: (Tensor | undefined)[] = [];
    // Several may share one tensor: the gradients of a sum are the sum's.
    const holders = new Map<Tensor, number>();
    const hold = (t: Tensor) => holders.set(t, (holders.get(t) ?? 0) + 1);
    const drop = (t: Tensor) => {
      const left = holders.get(t)! - 1;
      holders.set(t, left);
      if (left > 0) return;
      holders.delete(t);
      inner.free(t);
    };
    const add = (id: number, grad: Tensor) => {
      const before = grads[id];
      if (before === undefined) {
        hold(grads[id] = grad);
        return;
      }
      hold(grads[id] = inner.add(before, grad));
      drop(before);
    };

    seeds.forEach(hold);
    const spared = new Set([...variables, ...tensorsOf(kept)]);
    from.forEach((t, i) => {
      if (isRecorded(t) && t.id >= 0) add(t.id, seeds[i]);
    });
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const { sources, first, results, back } = step;
      const reached = results.some((_, i) => grads[first + i] !== undefined);
      if (reached) {
        const wanted = sources.map((source) => source >= 0);
        // In a scope, for what the rule leaves behind.
        const found = inner.scope(() =>
          back(results.map((t, i) => grads[first + i] ?? zeros(t.shape, inner)), wanted)
        );
        const made = found.filter((grad) => grad !== null);
        made.forEach(hold);
        found.forEach((grad, i) => {
          if (grad !== null && wanted[i]) add(sources[i], grad);
        });
        made.forEach(drop);
      }
      results.forEach((t, i) => {
        const grad = grads[first + i];
        if (grad !== undefined) drop(grad);
        grads[first + i] = undefined;
        if (!spared.has(t)) inner.free(t);
      });
    }
    return variableIds.map((id, i) => grads[id] ?? zeros(variables[i].shape, inner));
  }

  const variableIds: number[] = [];

  return {
    backend,
    variable(t) {
      variables.push(t);
      variableIds.push(count);
      return record(t, count++);
    },
    detach: (tree) => treeMap(tree, (t) => isRecorded(t) ? t.inner : t),
    back,
  };
}
