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
  /** Whether the kernel takes it; otherwise it is there for its shape. */
  readonly read: boolean;
}

/** Where a size is to be found: a number, or an input with an axis, one of the two lists of axes, or the capacity of a cache. */
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
  /** Of each axis, where an earlier input has it; null: any size is right. */
  readonly axes: readonly (Source | null)[];
}

/** An operation as devices and recordings run it. */
export interface Operation {
  /** A number of its own. */
  readonly id: number;
  readonly name: string;
  readonly kernel: string;
  readonly action: string;
  readonly inputs: readonly Place[];
  readonly outputs: readonly (ShapePlan | null)[];
  readonly sizes: readonly Source[];
  readonly checks: readonly InputCheck[];
  readonly gradient: AnyRule | "constant" | "none";
  /** The operation that {@linkcode gradient} is, where it is one: given the outputs' gradients, the inputs and the outputs. */
  readonly backward: Operation | null;
  readonly compute: Compute | null;
  /** What the kernel takes, without scratch memory. */
  readonly argumentCount: number;
}

/** An operation with what it was declared by. */
export interface Declared<D extends Declaration> extends Operation {
  readonly declaration: D;
}

let count = 0;

/** Makes an operation of its declaration. */
export function defineOperation<
  const N extends string,
  const I extends readonly string[],
  const O extends readonly (string | null)[],
  const G extends Gradient<I, O>,
  const S extends readonly string[] = readonly [],
  const C extends readonly string[] = readonly [],
>(declaration: Declaration<N, I, O, S, C, G>): Declared<Declaration<N, I, O, S, C, G>> {
  const { name, kernel = name, action = name, sizes = [], compute = null } = declaration;
  const constants: readonly string[] = declaration.constants ?? [];
  const gradient = declaration.gradient as G | Derived | AnyRule | "constant" | "none";
  const inputs = declaration.inputs.map(parse),
    outputs = declaration.outputs.map((o) => o === null ? o : parse(o));
  const isDerived = typeof gradient === "object";
  const backward = isDerived
    ? backwardOf(name, inputs, outputs as Place[], sizes, constants, gradient as Derived)
    : null;
  return {
    ...planned(inputs, outputs, sizes, constants),
    name,
    kernel,
    action,
    gradient: isDerived
      ? ruleOf(backward!, inputs, gradient as Derived)
      : gradient as AnyRule | "constant" | "none",
    backward,
    compute,
    declaration,
  };
}

interface Derived {
  readonly needs: readonly string[];
  readonly of: readonly string[];
}

function parse(text: string): Place {
  const [, name, mark, rest] = /^([^?:]+)(\??): ?(.*)$/.exec(text)!;
  const words = rest === "" ? [] : rest.split(" ");
  const leading = words[0] === "...", cache = words.find((word) => word.includes("|"));
  return {
    name,
    optional: mark === "?",
    leading,
    axes: words.slice(leading ? 1 : 0).map((word) => /^\d+$/.test(word) ? Number(word) : word.split("|")[0]),
    capacity: cache?.split("|")[1],
    read: true,
  };
}

function planned(
  inputs: readonly Place[],
  outputs: readonly (Place | null)[],
  sizes: readonly string[],
  constants: readonly string[],
) {
  // Those without leading axes come first, since their sizes have names.
  const order = [...inputs.keys()].sort((a, b) => Number(inputs[a].leading) - Number(inputs[b].leading));
  const told = sizes.length + constants.length;
  return {
    id: count++,
    inputs,
    argumentCount: outputs.length + inputs.filter(({ read }) => read).length + told,
    outputs: outputs.map((output): ShapePlan | null =>
      output && {
        like: inputs.findIndex((input) => isAlike(input, output)),
        leading: output.leading ? sourceOf("...", inputs) : null,
        axes: output.axes.map((axis) => sourceOf(axis, inputs)!),
      }
    ),
    sizes: sizes.map((size) => sourceOf(size, inputs)!),
    checks: order.map((input, i): InputCheck => {
      const place = inputs[input], earlier = order.slice(0, i).filter((j) => !inputs[j].optional);
      return {
        input,
        place,
        like: earlier.find((j) => isAlike(inputs[j], place)) ?? -1,
        axes: place.axes.map((axis) => sourceOf(axis, inputs, earlier)),
      };
    }),
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

/** The operation of the gradient's kernel: the outputs' gradients and what is needed are read, everything else has a shape. */
function backwardOf(
  name: string,
  inputs: readonly Place[],
  outputs: readonly Place[],
  sizes: readonly string[],
  constants: readonly string[],
  { needs, of }: Derived,
): Operation {
  const given = [
    ...outputs.map((place) => ({ ...place, name: `gradient of ${place.name}` })),
    ...[...inputs, ...outputs].map((place) => ({ ...place, read: needs.includes(place.name) })),
  ];
  const made = of.map((name) => ({ ...inputs.find((input) => input.name === name)!, optional: false }));
  const kernel = `${name}Backward`;
  return {
    ...planned(given, made, sizes, constants),
    name: kernel,
    kernel,
    action: "go back",
    gradient: "none",
    backward: null,
    compute: null,
  };
}

function ruleOf(backward: Operation, inputs: readonly Place[], { of }: Derived): AnyRule {
  const places = inputs.map(({ name }) => of.indexOf(name));
  return (call) => {
    const grads = run(backward, [...call.grads, ...call.inputs, ...call.outputs] as Tensor[], call.constants);
    return places.map((place) => place < 0 ? null : grads[place]);
  };
}
