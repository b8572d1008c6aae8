/**
 * A compiled step of generation, which is cached for the next stream with the same parameters.
 *
 * @module
 */
import type { Tokens } from "../ops/embedding/mod.ts";
import { sample, sampleAsSequence, type SampleOptions } from "../ops/sample/mod.ts";
import { lastStep } from "../ops/shift_time/mod.ts";
import { Programs } from "../runtime/programs.ts";
import type { Tensor } from "../tensor.ts";
import { zeros } from "../transfer.ts";
import type { LanguageModel } from "./language_model.ts";
import { changeLogits, changesLogits, countOne, type LogitsChange } from "./logits.ts";

/** A token, the state before it, and the number of times that each id was drawn, if that is needed. */
export interface Drawn<State> {
  readonly id: Tensor;
  readonly after: State;
  readonly counts?: Tensor | undefined;
}

/** Draws the token after the input, and computes the state after the input. */
export type NextToken<Params, State> = (
  params: Params,
  input: Tokens,
  before: State,
  step: Tensor | number,
  counts: Tensor | undefined,
) => Drawn<State>;

/** How a token is drawn from the model's logits. */
export interface Drawing {
  readonly sampling: Required<SampleOptions>;
  readonly change: LogitsChange;
}

/** A step that is not compiled. */
export function nextToken<Params, State>(
  model: LanguageModel<never, Params, State>,
  { sampling, change }: Drawing,
): NextToken<Params, State> {
  return (params, input, before, step, counts) => {
    const { logits, state: after } = model.forward(params, input, before);
    if (!changesLogits(change)) return { id: sample(logits, sampling, step), after };
    const last = lastStep(logits), drawn = counts ?? zeros(last.shape, last.backend);
    const id = sampleAsSequence(changeLogits("generate", last, drawn, change), sampling, step);
    return { id, after, counts: countOne(drawn, id) };
  };
}

/** A compiled step, and the number of streams that use it now. */
interface Kept {
  readonly model: unknown;
  readonly drawing: Drawing;
  // deno-lint-ignore no-explicit-any
  readonly programs: Programs<any, any>;
  users: number;
}

/**
 * The last step of each tree of parameters. Recording a step takes as long as tens of tokens, so short streams would be
 * half as fast if each recorded its own. Between streams a step holds no memory of the backend.
 */
const kept = new WeakMap<object, Kept>();

/** A compiled step while a stream uses it. */
export interface CompiledStep<Params, State> extends Disposable {
  readonly run: NextToken<Params, State>;
}

/** The compiled step for parameters: the cached one, or a new one in its place if the options differ. */
export function compiledStep<Params, State>(
  model: LanguageModel<never, Params, State>,
  params: Params,
  drawing: Drawing,
): CompiledStep<Params, State> {
  const tree = params as object;
  let found = kept.get(tree);
  if (found === undefined || found.model !== model || !isSame(found.drawing, drawing)) {
    found = { model, drawing, programs: new Programs(nextToken(model, drawing)), users: 0 };
    // Not if there is a transform: what it closes over may differ in the next stream.
    if (drawing.change.transform === undefined) kept.set(tree, found);
  }
  const step = found;
  step.users++;
  return {
    run: (...args) => step.programs.run(args) as Drawn<State>,
    [Symbol.dispose]() {
      if (--step.users > 0) return;
      if (kept.get(tree) === step) step.programs.sleep();
      else step.programs.dispose();
    },
  };
}

function isSame(a: Drawing, b: Drawing): boolean {
  return areEqual(a.sampling, b.sampling) && areEqual(a.change, b.change);
}

function areEqual<T extends object>(a: T, b: T): boolean {
  return (Object.keys(a) as (keyof T)[]).every((name) => a[name] === b[name]);
}
