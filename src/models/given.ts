/**
 * Checks that parameters and states belong to a model before it runs; errors say what was passed instead.
 *
 * @module
 */
import { isTensor } from "../check.ts";
import { given, mistaken } from "../mistaken.ts";
import type { Backend, Tensor } from "../tensor.ts";

/** Any value, as nested properties that may be missing. */
interface Tree {
  readonly [name: string | number]: Tree | undefined;
}

type Role = "params" | "state";
type Mark = (tree: Tree | undefined) => unknown;

/** For each model, the place of a tensor that no other model has there. */
const marks = {
  "RWKV": {
    params: (tree) => tree?.blocks?.[0]?.timeMix?.decay,
    state: (tree) => tree?.blocks?.[0]?.timeMix?.wkv,
  },
  "a Transformer": {
    params: (tree) => tree?.blocks?.[0]?.attention?.query,
    state: (tree) => tree?.blocks?.[0]?.key,
  },
  "an LSTM": { params: (tree) => tree?.layers?.[0]?.inputWeight, state: (tree) => tree?.layers?.[0]?.cell },
} satisfies Readonly<Record<string, Readonly<Record<Role, Mark>>>>;

/** The name of a model in messages. */
export type Kind = keyof typeof marks;

/** The parameter that all models have. */
export interface Embedded {
  readonly embedding: Tensor;
}

// These run for every token, so each checks only one tensor. The layers check the others.

/** Checks that a value looks like a model's parameters; returns their backend. */
export function checkParams(action: string, kind: Kind, params: Embedded): Backend {
  if (!isTensor(params?.embedding) || !has(params, marks[kind].params)) {
    throw notOf(action, kind, "params", params);
  }
  return params.embedding.backend;
}

/** Checks that a value looks like a model's state. */
export function checkState(action: string, kind: Kind, state: unknown): void {
  if (!has(state, marks[kind].state)) throw notOf(action, kind, "state", state);
}

function has(tree: unknown, mark: Mark): boolean {
  return isTensor(mark(tree as Tree));
}

const nouns = { params: "parameters", state: "a state" };

function notOf(action: string, kind: Kind, role: Role, tree: unknown): TypeError {
  const wanted = `${nouns[role]} of ${kind}`;
  const found = (["params", "state"] as const).flatMap((role) =>
    (Object.keys(marks) as Kind[]).filter((kind) => has(tree, marks[kind][role]))
      .map((kind) => `${nouns[role]} of ${kind}`)
  ).find((what) => what !== wanted);
  const isMissing = tree === undefined && role === "state";
  const end = found !== undefined
    ? given(found)
    : isMissing
    ? given("undefined", "initialState makes the first")
    : mistaken(role, tree);
  return new TypeError(`Cannot ${action}: ${role} must be ${wanted}${end}`);
}
