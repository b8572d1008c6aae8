/**
 * A backend that records: it runs every operation on the backend inside it and remembers what it takes to go back.
 *
 * @module
 */
import { complete } from "../backends/tensor_store.ts";
import type { Backend, Floats, Operations, Tensor } from "../tensor.ts";
import { mapTensors, tensorsByPlace } from "../tree.ts";
import { zeros } from "../transfer.ts";
import { rules } from "./rules.ts";

/** A tensor that knows what its gradient has to go back through. */
class RecordedTensor implements Tensor {
  readonly shape: readonly number[];
  readonly backend: Backend;
  /** The tensor itself, on the backend inside. */
  readonly inner: Tensor;
  /** Its number among those that have gradients; -1 for a constant. */
  readonly id: number;

  constructor(backend: Backend, inner: Tensor, id: number) {
    this.shape = inner.shape;
    this.backend = backend;
    this.inner = inner;
    this.id = id;
  }
}

type AnyRule = (
  args: readonly unknown[],
  results: readonly Tensor[],
  grads: readonly Tensor[],
  wanted: readonly boolean[],
) => readonly (Tensor | null)[];

/** One operation that was run. */
interface Step {
  readonly rule: AnyRule;
  readonly inputs: readonly unknown[];
  /** Of each argument, its number among those that have gradients, or -1. */
  readonly sources: readonly number[];
  readonly results: readonly Tensor[];
  /** The number of its first result; the others follow. */
  readonly first: number;
}

/** A gradient, which several may share: those of a sum are the sum's. */
interface Gradient {
  readonly tensor: Tensor;
  holders: number;
}

function hasGradient(source: number): boolean {
  return source >= 0;
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

  const isRecorded = (t: unknown): t is RecordedTensor =>
    t instanceof RecordedTensor && t.backend === backend;

  function checkGoingOn(): void {
    if (over) {
      throw new TypeError(
        `Cannot use tensor: its recording must be going on, current recording on ${inner.name} is over`,
      );
    }
  }

  // Arrays are made by `map`, as long as they have to be: one that grows is made with room for seventeen.

  /** An argument with the tensors in it as they are inside. */
  function unwrap(arg: unknown): unknown {
    if (isRecorded(arg)) return arg.inner;
    return Array.isArray(arg) ? arg.map(unwrap) : arg;
  }

  function idOf(arg: unknown): number {
    return isRecorded(arg) ? arg.id : -1;
  }

  function recording(name: keyof typeof rules): (...args: unknown[]) => unknown {
    const rule = rules[name] as AnyRule | "constant" | "none";
    const compute = inner[name] as (...args: unknown[]) => Tensor | Tensor[];
    return (...args) => {
      checkGoingOn();
      const inputs = args.map(unwrap);
      const sources = (args.some(Array.isArray) ? args.flat() : args).map(idOf);
      const output = compute.apply(inner, inputs);
      const results = Array.isArray(output) ? output : [output];
      let first = -1;
      if (rule !== "constant" && sources.some(hasGradient)) {
        if (rule === "none") {
          throw new TypeError(
            `Cannot differentiate: operations must have gradient rules, current operation is ${name}`,
          );
        }
        first = count;
        count += results.length;
        steps.push({ rule, inputs, sources, results, first });
      }
      if (!Array.isArray(output)) return new RecordedTensor(backend, output, first);
      return output.map((t, i) => new RecordedTensor(backend, t, first < 0 ? -1 : first + i));
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
    upload: (data, shape) => new RecordedTensor(backend, inner.upload(data, shape), -1),
    download(x, room): Floats | Promise<Floats> {
      checkGoingOn();
      return inner.download(isRecorded(x) ? x.inner : x, room);
    },
    expectZeros: (x, errorAt) => inner.expectZeros(isRecorded(x) ? x.inner : x, errorAt),
    reserveTime: (...sizes) => new RecordedTensor(backend, inner.reserveTime(...sizes), -1),
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
    const grads: (Gradient | undefined)[] = new Array(count);
    const drop = (grad: Gradient) => {
      if (--grad.holders === 0) inner.free(grad.tensor);
    };
    const add = (id: number, grad: Gradient) => {
      const before = grads[id];
      if (before === undefined) {
        grad.holders++;
        grads[id] = grad;
      } else {
        grads[id] = { tensor: inner.add(before.tensor, grad.tensor), holders: 1 };
        drop(before);
      }
    };

    const spared = new Set([...variables, ...tensorsByPlace(kept)]);
    from.forEach((t, i) => {
      // The caller holds it too.
      if (isRecorded(t) && t.id >= 0) add(t.id, { tensor: seeds[i], holders: 1 });
    });
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const { rule, inputs, sources, results, first } = step;
      const known = grads.slice(first, first + results.length);
      if (known.some((grad) => grad !== undefined)) {
        const wanted = sources.map(hasGradient);
        // In a scope, for what the rule leaves behind.
        const found = inner.scope(() =>
          rule(inputs, results, results.map((t, i) => known[i]?.tensor ?? zeros(t.shape, inner)), wanted)
        );
        const made: (Gradient | null)[] = found.map(() => null);
        for (let i = 0; i < found.length; i++) {
          const tensor = found[i];
          if (tensor === null) continue;
          const isIt = (grad: Gradient | null | undefined) => grad?.tensor === tensor;
          const grad = known.find(isIt) ?? made.find(isIt) ?? (made[i] = { tensor, holders: 1 });
          if (wanted[i]) add(sources[i], grad);
        }
        for (const grad of made) {
          if (grad !== null) drop(grad);
        }
      }
      for (let i = 0; i < results.length; i++) {
        const grad = known[i];
        if (grad !== undefined) drop(grad);
        grads[first + i] = undefined;
        if (!spared.has(results[i])) inner.free(results[i]);
      }
    }
    return variableIds.map((id, i) => {
      const grad = grads[id], { shape } = variables[i];
      if (grad === undefined) return zeros(shape, inner);
      if (grad.holders === 1) return grad.tensor;
      // Somebody else's too: two variables have two gradients, since one tensor would say that they are one variable.
      grad.holders--;
      return inner.add(grad.tensor, zeros(shape, inner));
    });
  }

  const variableIds: number[] = [];

  return {
    backend,
    variable(t) {
      variables.push(t);
      variableIds.push(count);
      return new RecordedTensor(backend, t, count++);
    },
    detach: (tree) => mapTensors(tree, (t) => isRecorded(t) ? t.inner : t),
    back,
  };
}
