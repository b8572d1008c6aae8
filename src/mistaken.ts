/**
 * Describes values that were passed by mistake instead of a tree of tensors, for messages.
 *
 * @module
 */
import { isBranch, isTensor, show } from "./check.ts";

/**
 * The end of a message about such a value, with advice if possible. `wanted` is `params`, `state` or another tree.
 */
export function mistaken(wanted: string, tree: unknown): string {
  if (show(tree) === "a promise") return given("a promise", "await it");
  if (isTensor(tree) || Array.isArray(tree) || !isBranch(tree)) return given(show(tree));
  const keys = Object.keys(tree);
  if (keys.some((key) => key === "emb" || key.includes("."))) {
    return given("official names", "fromOfficialRwkv reads them");
  }
  if (typeof tree.vocabulary === "number") return given("a config", "init makes parameters of one");
  const inside = keys.find((key) => key === wanted || key === "tree");
  const names = keys.join(", ");
  return given(
    keys.length === 0 ? show(tree) : `an object of ${names.length > 80 ? `${names.slice(0, 77)}...` : names}`,
    inside && `take its ${inside}`,
  );
}

/** The end of a message: ` (advice), current value is …`. */
export function given(what: string, todo?: string): string {
  return `${todo === undefined ? "" : ` (${todo})`}, current value is ${what}`;
}

/** Refuses a promise of a tree: its tensors would be missed, since values that are not trees are left as they are. */
export function refusePromise(action: string, name: string, tree: unknown): void {
  if (!(tree instanceof Promise)) return;
  throw new TypeError(`Cannot ${action}: ${name} must hold tensors${mistaken(name, tree)}`);
}
