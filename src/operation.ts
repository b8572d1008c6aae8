/**
 * The declaration of an operation. The checks of its arguments, what a device allocates and passes to its kernels,
 * the kernels' types, the gradient, the self-check and the tests all follow from it.
 *
 * @module
 */
import type { Workspace } from "./backends/kernels.ts";
import { run } from "./compute.ts";
import type { Tensor } from "./tensor.ts";

/**
 * A declaration. A tensor is written as its name and sizes, `"key: B T C"`. A size is a name or a number. A leading
 * `"..."` stands for any axes, the same wherever it occurs; nothing after the colon is a single number.
 * `"bias?: O"` is optional. `"key: B S|K C"` has a capacity of K steps of which S are filled: its kernel takes a
 * key-value cache without copying it. `"...parts: B ..."`, alone, is any number of tensors.
 */
export interface Declaration<
  N extends string = string,
  I extends readonly string[] = readonly string[],
  O extends readonly (string | null)[] = readonly (string | null)[],
  S extends readonly string[] = readonly string[],
  C extends readonly string[] = readonly string[],
  G = unknown,
> {
  /** The name of its kernel. The kernel of its gradient has the same name with the suffix `Backward`. */
  readonly name: N;
  /** The name of the kernel, if it is another operation's. */
  readonly kernel?: string;
  /** The action that error messages name. */
  readonly action?: string;
  /** The inputs, in the kernel's order. */
  readonly inputs: I;
  /** The inputs that the kernel takes, if others only provide their shapes. */
  readonly reads?: readonly string[];
  /** The outputs; null where a kernel takes null for a result that is not needed. */
  readonly outputs: O;
  /** The sizes that the kernel takes after outputs and inputs; `"..."` is the product of those axes. */
  readonly sizes?: S;
  /** The constants that it takes after the sizes: numbers that the caller passes. */
  readonly constants?: C;
  /**
   * The inputs that have gradients, and the inputs and outputs that the gradient's kernel needs; or a rule that
   * composes the gradients from other operations; `"constant"` if the result is piecewise constant in the inputs
   * and has no gradient to propagate; `"none"` if no rule exists.
   */
  readonly gradient: G;
  /** Computes the results on a device, instead of a call of the kernel. */
  readonly compute?: Compute;
  /**
   * Values for checks: of a size or a constant (a small and a large one, given as a pair), and of an element of an
   * input, as a function of a normally distributed number. By default sizes are small and inputs normal.
   */
  readonly example?: Example;
}

/** See {@linkcode Declaration.example}. */
export type Example = Readonly<
  Record<string, number | readonly [few: number, many: number] | ((normal: number) => number)>
>;

/** Computes the results without a kernel of the same name. */
type Compute = <M>(
  device: Workspace<M>,
  inputs: readonly Tensor[],
  constants: readonly number[],
) => Tensor[];

type NameOf<T> = T extends `${infer Name}?:${string}` ? Name
  : T extends `${infer Name}:${string}` ? Name
  : never;

/** The tensors of these declarations; missing optional ones are undefined. */
export type Tensors<T extends readonly (string | null)[]> = T extends readonly [`...${string}`]
  ? readonly Tensor[]
  : { readonly [K in keyof T]: T[K] extends `${string}?:${string}` ? Tensor | undefined : Tensor };

/** A recorded call of an operation. Exported, since the emitted declarations of operations name it. */
export interface Call<I, O> {
  readonly inputs: I;
  readonly constants: readonly number[];
  readonly outputs: O;
  /** For each output, its gradient. */
  readonly grads: O;
  /** For each input, whether its gradient is wanted. */
  readonly wanted: readonly boolean[];
}

/** Maps a call to the gradient of each input, or null. */
export type GradientRule<I, O> = (call: Call<I, O>) => readonly (Tensor | null)[];

type AnyRule = GradientRule<readonly (Tensor | undefined)[], readonly Tensor[]>;

type Gradient<I extends readonly string[], O extends readonly (string | null)[]> =
  | { readonly needs: readonly NameOf<I[number] | O[number]>[]; readonly of: readonly NameOf<I[number]>[] }
  | GradientRule<Tensors<I>, Tensors<O>>
  | "constant"
  | "none";

/** The arguments of a declared operation's kernel, over memory `M`. */
export type KernelOf<M, D> = D extends Declaration<string, infer I, infer O, infer S, infer C>
  ? (...args: [...Blocks<M, O>, ...Blocks<M, I>, ...Numbers<S>, ...Numbers<C>]) => void
  : never;

/** The arguments of its gradient's kernel. */
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

/** An input or output of an operation. */
interface Place {
  readonly name: string;
  readonly optional: boolean;
  /** Whether any axes may precede {@linkcode axes}. */
  readonly leading: boolean;
  readonly axes: readonly (string | number)[];
  /** The name of the capacity in steps, if the tensor may be a key-value cache. */
  readonly capacity: string | undefined;
  /** Whether the kernel takes it. */
  readonly read: boolean;
}

/**
 * The origin of a size: an axis of an input, the product of its leading axes, the capacity of a cache, or a
 * constant.
 */
export interface Source {
  readonly input: number;
  readonly from: "axis" | "leading" | "capacity" | "number";
  /** The axis, counted from the end if negative; for leading axes, the number of axes after them; or the constant. */
  readonly at: number;
}

/** The shape of an output: that of an input, or leading axes followed by others. */
export interface ShapePlan {
  /** The input with the same shape, or -1. */
  readonly like: number;
  readonly leading: Source | null;
  readonly axes: readonly Source[];
}

/** The requirements on an input, given the inputs that are checked before it. */
export interface InputCheck {
  readonly input: number;
  readonly place: Place;
  /** An earlier input with the same shape, or -1. */
  readonly like: number;
  /** The earlier input with the same leading axes; null if any are allowed. */
  readonly leading: Source | null;
  /** For each axis, the earlier input with the same size; null if any size is allowed. */
  readonly axes: readonly (Source | null)[];
}

/** Everything that follows from a declaration's tensors and sizes. */
export interface Plan {
  readonly inputs: readonly Place[];
  readonly outputs: readonly (ShapePlan | null)[];
  readonly sizes: readonly Source[];
  readonly checks: readonly InputCheck[];
  /** The number of arguments of the kernel, without scratch memory. */
  readonly argumentCount: number;
}

let count = 0;

/** An operation, as backends and recordings run it. */
export class Operation<D extends Declaration = Declaration> {
  /** A unique number. */
  readonly id: number = count++;
  readonly name: string;
  readonly kernel: string;
  readonly action: string;
  readonly gradient: AnyRule | "constant" | "none";
  readonly compute: Compute | null;
  // Created on first use: a program uses few of all operations, and imports should stay fast.
  #plan: Plan | undefined;
  #backward: Operation | undefined;

  constructor(readonly declaration: D) {
    const { name, kernel = name, action = name, compute = null } = declaration;
    const gradient = declaration.gradient as Derived | Operation["gradient"];
    this.name = name;
    this.kernel = kernel;
    this.action = action;
    this.compute = compute;
    this.gradient = typeof gradient === "object" ? (call) => runBackward(this, gradient, call) : gradient;
  }

  get plan(): Plan {
    return this.#plan ??= planOf(this.declaration);
  }

  /**
   * The operation that computes the gradient from the outputs' gradients, the inputs and the outputs, if a kernel
   * does; else null.
   */
  get backward(): Operation | null {
    const { gradient } = this.declaration;
    if (typeof gradient !== "object") return null;
    return this.#backward ??= new Operation(backwardOf(this.declaration, gradient as Derived));
  }
}

/** Defines an operation. */
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

/**
 * The declaration of the gradient's kernel, which reads the outputs' gradients and what it needs. The other tensors
 * only provide shapes.
 */
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

function runBackward(
  operation: Operation,
  { of }: Derived,
  call: Parameters<AnyRule>[0],
): ReturnType<AnyRule> {
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
  // Inputs without leading axes come first, since their sizes have names.
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

/** The first input that has a size, and where in it. */
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
