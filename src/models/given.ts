/**
 * Parameters and states told from those of other models, and from what else is given by mistake, before a model runs.
 *
 * @module
 */
import { isTensor } from "../check.ts";
import { given, mistaken } from "../mistaken.ts";
import type { Backend, Tensor } from "../tensor.ts";

type Path = readonly (string | number)[];
type Role = "params" | "state";

/** Of each model, the way to a tensor that no other has there. */
const marks = {
  "RWKV": { params: ["blocks", 0, "timeMix", "decay"], state: ["blocks", 0, "timeMix", "wkv"] },
  "a Transformer": { params: ["blocks", 0, "attention", "query"], state: ["blocks", 0, "key"] },
  "an LSTM": { params: ["layers", 0, "inputWeight"], state: ["layers", 0, "cell"] },
} as const satisfies Readonly<Record<string, Readonly<Record<Role, Path>>>>;

/** What messages call a model. */
export type Kind = keyof typeof marks;

/** What every model has. */
export interface Embedded {
  readonly embedding: Tensor;
}

// These run at every token: they look at one tensor each. What else is missing the layers find.

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

function has(tree: unknown, path: Path): boolean {
  let at = tree;
  for (let i = 0; i < path.length; i++) {
    if (typeof at !== "object" || at === null) return false;
    at = (at as Readonly<Record<string | number, unknown>>)[path[i]];
  }
  return isTensor(at);
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
