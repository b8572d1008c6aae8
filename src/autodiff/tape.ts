/**
 * The recording backend: runs every operation on the backend that it wraps and keeps what the gradients need.
 *
 * @module
 */
import { complete } from "../backends/tensor_store.ts";
import { run } from "../compute.ts";
import type { Engine } from "../engine.ts";
import type { GradientRule, Operation } from "../operation.ts";
import { addOp } from "../ops/elementwise/mod.ts";
import { makePrintable } from "../printable.ts";
import type { Backend, Floats, Tensor } from "../tensor.ts";
import { mapTensors, tensorsByPlace } from "../tree.ts";
import { zeros } from "../transfer.ts";

/** A tensor of the recording backend. */
class RecordedTensor implements Tensor {
  readonly shape: readonly number[];
  readonly backend: Backend;
  /** The tensor that it wraps, on the inner backend. */
  readonly inner: Tensor;
  /** Its index among the tensors with gradients; -1 for a constant. */
  readonly id: number;

  constructor(backend: Backend, inner: Tensor, id: number) {
    this.shape = inner.shape;
    this.backend = backend;
    this.inner = inner;
    this.id = id;
  }

  static {
    makePrintable(this, () => ", recorded");
  }
}

type Inputs = readonly (Tensor | undefined)[];

/** A recorded operation. */
interface Step {
  readonly rule: GradientRule<Inputs, readonly Tensor[]>;
  readonly inputs: Inputs;
  readonly constants: readonly number[];
  /** For each input, its index among the tensors with gradients, or -1. */
  readonly sources: readonly number[];
  readonly outputs: readonly Tensor[];
  /** The index of its first output; the others follow. */
  readonly first: number;
}

/** A gradient with a reference count: the inputs of a sum share the gradient of the sum. */
interface Gradient {
  readonly tensor: Tensor;
  holders: number;
}

function hasGradient(source: number): boolean {
  return source >= 0;
}

/** A recording in progress. */
interface Tape {
  /** The recording backend. */
  readonly backend: Backend;
  /** Wraps a tensor of the inner backend as one that has a gradient. */
  variable(t: Tensor): Tensor;
  /** Whether operations with gradients lead from a variable to a tensor. */
  isReached(t: Tensor): boolean;
  /** Unwraps the recorded tensors of a tree. */
  detach<T>(tree: T): T;
  /**
   * Propagates the gradients `grads` of the tensors `from` back to the variables and returns those of the
   * variables, in the order of their creation. Ends the recording and frees its tensors on the way, except `kept`
   * and the variables.
   */
  backward(from: readonly Tensor[], grads: readonly Tensor[], kept: unknown): Tensor[];
}

/** Creates a tape over a backend. */
export function createTape(inner: Engine): Tape {
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

  function unwrap(t: Tensor): Tensor;
  function unwrap(t: Tensor | undefined): Tensor | undefined;
  function unwrap(t: Tensor | undefined): Tensor | undefined {
    return isRecorded(t) ? t.inner : t;
  }

  function idOf(t: Tensor | undefined): number {
    return isRecorded(t) ? t.id : -1;
  }

  // Arrays are made by `map`, which allocates their exact length; a growing array reserves seventeen elements.

  function record(operation: Operation, given: Inputs, constants: readonly number[]): Tensor[] {
    checkGoingOn();
    const { gradient: rule, name } = operation;
    const inputs = given.map(unwrap), sources = given.map(idOf);
    const outputs = inner.run(operation, inputs, constants);
    if (rule === "constant" || !sources.some(hasGradient)) return outputs.map(constant);
    if (rule === "none") {
      throw new TypeError(
        `Cannot differentiate: operations must have gradient rules, current operation is ${name}`,
      );
    }
    return keep({ rule, inputs, constants, sources, outputs });
  }

  function runUnrecorded(
    given: readonly Tensor[],
    forward: (inputs: readonly Tensor[]) => Tensor[],
    rule: Step["rule"],
  ): Tensor[] {
    checkGoingOn();
    const inputs = given.map((t) => unwrap(t)), sources = given.map(idOf);
    const outputs = inner.ownResults!(() => forward(inputs));
    if (!sources.some(hasGradient)) return outputs.map(constant);
    return keep({ rule, inputs, constants: [], sources, outputs });
  }

  /** Adds a step to the recording; returns its outputs. */
  function keep(step: Omit<Step, "first">): Tensor[] {
    const first = count;
    count += step.outputs.length;
    steps.push({ ...step, first });
    return step.outputs.map((t, i) => new RecordedTensor(backend, t, first + i));
  }

  function constant(t: Tensor): Tensor {
    return new RecordedTensor(backend, t, -1);
  }

  const backend: Engine = {
    // Error messages name the backend that computes.
    name: inner.name,
    inner,
    upload: (data, shape) => new RecordedTensor(backend, inner.upload(data, shape), -1),
    download(x, out): Floats | Promise<Floats> {
      checkGoingOn();
      return inner.download(unwrap(x), out);
    },
    run: record,
    runUnrecorded,
    expectZeros: (x, errorAt) => inner.expectZeros(unwrap(x), errorAt),
    reserveTime: (...sizes) => new RecordedTensor(backend, inner.reserveTime(...sizes), -1),
    // Recorded tensors are freed once the gradients are done.
    scope: (body) => complete(body()),
    free: () => {},
    hold: (body, after) => after(body()),
    memory: () => inner.memory(),
    resetPeak: () => inner.resetPeak(),
    [Symbol.dispose]() {
      throw new TypeError(
        "Cannot dispose of recording: it ends by itself, current recording is not its user's",
      );
    },
  };

  function backward(from: readonly Tensor[], seeds: readonly Tensor[], kept: unknown): Tensor[] {
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
        grads[id] = { tensor: run(addOp, [before.tensor, grad.tensor])[0], holders: 1 };
        drop(before);
      }
    };

    const spared = new Set([...variables, ...tensorsByPlace(kept)]);
    from.forEach((t, i) => {
      // The caller holds a reference too.
      if (isRecorded(t) && t.id >= 0) add(t.id, { tensor: seeds[i], holders: 1 });
    });
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const { rule, inputs, constants, sources, outputs, first } = step;
      const known = grads.slice(first, first + outputs.length);
      if (known.some((grad) => grad !== undefined)) {
        const wanted = sources.map(hasGradient);
        // The scope frees the temporaries of the rule.
        const found = inner.scope(() => {
          const grads = outputs.map((t, i) => known[i]?.tensor ?? zeros(t.shape, inner));
          return rule({ inputs, constants, outputs, grads, wanted });
        });
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
      for (let i = 0; i < outputs.length; i++) {
        const grad = known[i];
        if (grad !== undefined) drop(grad);
        grads[first + i] = undefined;
        if (!spared.has(outputs[i])) inner.free(outputs[i]);
      }
    }
    return variableIds.map((id, i) => {
      const grad = grads[id], { shape } = variables[i];
      if (grad === undefined) return zeros(shape, inner);
      if (grad.holders === 1) return grad.tensor;
      // The gradient is shared. Every variable gets a tensor of its own, since one tensor would mean one variable.
      grad.holders--;
      return run(addOp, [grad.tensor, zeros(shape, inner)])[0];
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
    isReached: (t) => idOf(t) >= 0,
    detach: (tree) => mapTensors(tree, unwrap),
    backward,
  };
}
