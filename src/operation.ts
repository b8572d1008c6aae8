/**
 * What an operation is, as data. From one declaration follow the checks of its arguments, what a device allocates and tells
 * its kernels, the kernels' types, the gradient, and what the self-check and the tests run.
 *
 * @module
 */
import type { Workspace } from "./backends/kernels.ts";
import { run } from "./compute.ts";
import type { Tensor } from "./tensor.ts";

/**
 * A declaration. A tensor is written as its name and sizes, `"key: B T C"`. A size is a name, or a number; `"..."` in front are
 * any axes, the same wherever they occur; nothing after the colon is a single number. `"bias?: O"` may be missing. In
 * `"key: B S|K C"` there is room for K steps of which S are filled: its kernel takes a key-value cache as it is.
 * `"...parts: B ..."`, alone, is any number of tensors.
 */
export interface Declaration<
  N extends string = string,
  I extends readonly string[] = readonly string[],
  O extends readonly (string | null)[] = readonly (string | null)[],
  S extends readonly string[] = readonly string[],
  C extends readonly string[] = readonly string[],
  G = unknown,
> {
  /** The name of its kernel, which that of its gradient has too, with `Backward` behind it. */
  readonly name: N;
  /** The kernel, where it is another operation's. */
  readonly kernel?: string;
  /** What errors say it can't do. */
  readonly action?: string;
  /** What it is given, in the kernel's order. */
  readonly inputs: I;
  /** Which of those the kernel takes, where others are there for their shapes. */
  readonly reads?: readonly string[];
  /** What it makes; null where a kernel takes null for a result that is not wanted. */
  readonly outputs: O;
  /** What the kernel is told behind outputs and inputs; `"..."` is the product of those axes. */
  readonly sizes?: S;
  /** What it is told behind the sizes: numbers that the caller passes. */
  readonly constants?: C;
  /**
   * Which inputs have gradients, and which inputs and outputs their kernel needs; or a rule that makes them of other operations;
   * `"constant"` where the result does not change smoothly with the inputs, and so has no gradient to pass on; `"none"` where
   * nobody has written a rule.
   */
  readonly gradient: G;
  /** In place of a call of the kernel of its name: what a device does. */
  readonly compute?: Compute;
  /**
   * What checks take for a size or a constant (of few and of many, where two numbers are given), and for an element of an input,
   * made of a normal number; otherwise sizes are small and inputs normal.
   */
  readonly example?: Example;
}

/** See {@linkcode Declaration.example}. */
export type Example = Readonly<
  Record<string, number | readonly [few: number, many: number] | ((normal: number) => number)>
>;

/** Makes the results by hand. */
export type Compute = <M>(
  device: Workspace<M>,
  inputs: readonly Tensor[],
  constants: readonly number[],
) => Tensor[];

type NameOf<T> = T extends `${infer Name}?:${string}` ? Name
  : T extends `${infer Name}:${string}` ? Name
  : never;

/** The tensors of these declarations; missing ones are undefined. */
export type Tensors<T extends readonly (string | null)[]> = T extends readonly [`...${string}`]
  ? readonly Tensor[]
  : { readonly [K in keyof T]: T[K] extends `${string}?:${string}` ? Tensor | undefined : Tensor };

/** A call of an operation that was recorded. */
export interface Call<I, O> {
  readonly inputs: I;
  readonly constants: readonly number[];
  readonly outputs: O;
  /** Of each output, its gradient. */
  readonly grads: O;
  /** Of each input, whether its gradient is wanted. */
  readonly wanted: readonly boolean[];
}

/** From a call to the gradient of each input, null for none. */
export type GradientRule<I, O> = (call: Call<I, O>) => readonly (Tensor | null)[];

type AnyRule = GradientRule<readonly (Tensor | undefined)[], readonly Tensor[]>;

type Gradient<I extends readonly string[], O extends readonly (string | null)[]> =
  | { readonly needs: readonly NameOf<I[number] | O[number]>[]; readonly of: readonly NameOf<I[number]>[] }
  | GradientRule<Tensors<I>, Tensors<O>>
  | "constant"
  | "none";

/** A kernel's arguments over memory `M`, of a declaration. */
export type KernelOf<M, D> = D extends Declaration<string, infer I, infer O, infer S, infer C>
  ? (...args: [...Blocks<M, O>, ...Blocks<M, I>, ...Numbers<S>, ...Numbers<C>]) => void
  : never;

/** The same of the kernel of its gradient. */
export type BackwardKernelOf<M, D> = D extends Declaration<
  string,
  infer I,
  infer O,
  infer S,
  infer C,
  { readonly needs: infer Needs extends readonly string[]; readonly of: infer Of extends readonly string[] }
> ? (
    ...args: [
      ...Blocks<M, Of>,
      ...Blocks<M, O>,
      ...{ [K in keyof Needs]: `${Needs[K]}?` extends OptionalOf<I[number]> ? M | null : M },
      ...Numbers<S>,
      ...Numbers<C>,
    ]
  ) => void
  : never;

type OptionalOf<T> = T extends `${infer Name}?:${string}` ? `${Name}?` : never;
type Blocks<M, T extends readonly (string | null)[]> = {
  [K in keyof T]: T[K] extends null | `${string}?:${string}` ? M | null : M;
};
type Numbers<T extends readonly string[]> = { [K in keyof T]: number };

/** A tensor of an operation. */
export interface Place {
  readonly name: string;
  readonly optional: boolean;
  /** Whether any axes may be in front of {@linkcode axes}. */
  readonly leading: boolean;
  readonly axes: readonly (string | number)[];
  /** The name of the number of steps that there is room for, of what may be a key-value cache. */
  readonly capacity: string | undefined;
  /** Whether the kernel takes it. */
  readonly read: boolean;
}

/** Where a size is to be found: in an input as an axis, the product of the leading axes or a cache's capacity; or it is a number. */
export interface Source {
  readonly input: number;
  readonly from: "axis" | "leading" | "capacity" | "number";
  /** The axis, from behind where it is negative; of leading axes, how many are behind them; the number. */
  readonly at: number;
}

/** The shape of an output: that of an input, or leading axes and others. */
export interface ShapePlan {
  /** -1: none. */
  readonly like: number;
  readonly leading: Source | null;
  readonly axes: readonly Source[];
}

/** What an input must be, given those that were looked at before. */
export interface InputCheck {
  readonly input: number;
  readonly place: Place;
  /** An earlier input whose shape it must have, or -1. */
  readonly like: number;
  /** Where an earlier input has the same leading axes; null: any are right. */
  readonly leading: Source | null;
  /** Of each axis, where an earlier input has it; null: any size is right. */
  readonly axes: readonly (Source | null)[];
}

/** What follows from the tensors and sizes of a declaration. */
export interface Plan {
  readonly inputs: readonly Place[];
  readonly outputs: readonly (ShapePlan | null)[];
  readonly sizes: readonly Source[];
  readonly checks: readonly InputCheck[];
  /** What the kernel takes, without scratch memory. */
  readonly argumentCount: number;
}

let count = 0;

/** An operation as devices and recordings run it. */
export class Operation<D extends Declaration = Declaration> {
  /** A number of its own. */
  readonly id: number = count++;
  readonly name: string;
  readonly kernel: string;
  readonly action: string;
  readonly gradient: AnyRule | "constant" | "none";
  readonly compute: Compute | null;
  // Made when they are first used: a program uses few of all operations, and needs them later than it starts.
  #plan: Plan | undefined;
  #backward: Operation | undefined;

  constructor(readonly declaration: D) {
    const { name, kernel = name, action = name, compute = null } = declaration;
    const gradient = declaration.gradient as Derived | Operation["gradient"];
    this.name = name;
    this.kernel = kernel;
    this.action = action;
    this.compute = compute;
    this.gradient = typeof gradient === "object" ? (call) => goBack(this, gradient, call) : gradient;
  }

  get plan(): Plan {
    return this.#plan ??= planOf(this.declaration);
  }

  /** The operation that the gradient is, where it is one: given the outputs' gradients, the inputs and the outputs. */
  get backward(): Operation | null {
    const { gradient } = this.declaration;
    if (typeof gradient !== "object") return null;
    return this.#backward ??= new Operation(backwardOf(this.declaration, gradient as Derived));
  }
}

/** Makes an operation of its declaration. */
export function defineOperation<
  const N extends string,
  const I extends readonly string[],
  const O extends readonly (string | null)[],
  const G extends Gradient<I, O>,
  const S extends readonly string[] = readonly [],
  const C extends readonly string[] = readonly [],
>(declaration: Declaration<N, I, O, S, C, G>): Operation<Declaration<N, I, O, S, C, G>> {
  return new Operation(declaration);
}

interface Derived {
  readonly needs: readonly string[];
  readonly of: readonly string[];
}

/** Of the gradient's kernel: the outputs' gradients and what is needed are read, everything else has a shape. */
function backwardOf(
  { name, action = name, inputs, outputs, sizes = [], constants = [], example = {} }: Declaration,
  { needs, of }: Derived,
): Declaration {
  const made = outputs as readonly string[], grads = made.map((output) => `gradient of ${output}`);
  const gradientOf = (name: string) => {
    const input = inputs.find((input) => nameOf(input) === name)!;
    return input.replace("?:", ":").replace(/\|\w+/, "");
  };
  return {
    name: `${name}Backward`,
    action: `differentiate (${action})`,
    inputs: [...grads, ...inputs, ...made],
    reads: [...grads.map(nameOf), ...needs],
    outputs: of.map(gradientOf),
    sizes,
    constants,
    gradient: "none",
    example,
  };
}

function goBack(operation: Operation, { of }: Derived, call: Parameters<AnyRule>[0]): ReturnType<AnyRule> {
  const grads = run(
    operation.backward!,
    [...call.grads, ...call.inputs, ...call.outputs] as Tensor[],
    call.constants,
  );
  return operation.declaration.inputs.map((input) => grads[of.indexOf(nameOf(input))] ?? null);
}

function nameOf(text: string): string {
  return /^[^?:]*/.exec(text)![0];
}

function parse(text: string, reads?: readonly string[]): Place {
  const [, name, mark, rest] = /^([^?:]+)(\??): ?(.*)$/.exec(text)!;
  const words = rest === "" ? [] : rest.split(" ");
  const leading = words[0] === "...", cache = words.find((word) => word.includes("|"));
  return {
    name,
    optional: mark === "?",
    leading,
    axes: words.slice(leading ? 1 : 0).map((word) => /^\d+$/.test(word) ? Number(word) : word.split("|")[0]),
    capacity: cache?.split("|")[1],
    read: reads?.includes(name) ?? true,
  };
}

function planOf(declaration: Declaration): Plan {
  const { outputs, sizes = [], constants = [], reads } = declaration;
  const inputs = declaration.inputs.map((text) => parse(text, reads));
  // Those without leading axes come first, since their sizes have names.
  const order = [...inputs.keys()].sort((a, b) => Number(inputs[a].leading) - Number(inputs[b].leading));
  return {
    inputs,
    outputs: outputs.map((output) => output === null ? null : shapePlanOf(parse(output), inputs)),
    sizes: sizes.map((size) => sourceOf(size, inputs)!),
    checks: order.map((input, i): InputCheck => {
      const place = inputs[input], earlier = order.slice(0, i).filter((j) => !inputs[j].optional);
      return {
        input,
        place,
        like: earlier.find((j) => isAlike(inputs[j], place)) ?? -1,
        leading: place.leading ? sourceOf("...", inputs, earlier) : null,
        axes: place.axes.map((axis) => sourceOf(axis, inputs, earlier)),
      };
    }),
    argumentCount: outputs.length + inputs.filter(({ read }) => read).length + sizes.length +
      constants.length,
  };
}

function shapePlanOf(output: Place, inputs: readonly Place[]): ShapePlan {
  return {
    like: inputs.findIndex((input) => isAlike(input, output)),
    leading: output.leading ? sourceOf("...", inputs) : null,
    axes: output.axes.map((axis) => sourceOf(axis, inputs)!),
  };
}

function isAlike(a: Place, b: Place): boolean {
  return a.leading === b.leading && a.axes.join() === b.axes.join();
}

/** Where the first of the inputs that has a size has it. */
function sourceOf(
  size: string | number,
  inputs: readonly Place[],
  among: readonly number[] = [...inputs.keys()],
): Source | null {
  if (typeof size === "number") return { input: 0, from: "number", at: size };
  for (const input of among) {
    const { leading, axes, capacity } = inputs[input];
    if (size === capacity) return { input, from: "capacity", at: 0 };
    if (size === "..." && leading) return { input, from: "leading", at: axes.length };
    const axis = axes.indexOf(size);
    if (axis >= 0) return { input, from: "axis", at: leading ? axis - axes.length : axis };
  }
  return null;
}
