/**
 * Tensors as text: the console shows shape and backend; JSON is refused, since it would not contain the numbers.
 *
 * @module
 */
import { show, showShape } from "./check.ts";
import type { Tensor } from "./tensor.ts";
import { shapeOf } from "./tracked_shape.ts";

/**
 * Gives a class of tensors the methods that Deno, Node, templates and `JSON.stringify` look for. They are
 * non-enumerable and on the prototype, so creating tensors costs no more and iterating over their keys skips them.
 *
 * @param note a text to append
 */
export function makePrintable<T extends Tensor>(
  tensors: { readonly prototype: T },
  note: (t: T) => string,
): void {
  const define = (key: PropertyKey, value: (this: T) => string) =>
    Object.defineProperty(tensors.prototype, key, { value });
  const keys = ["Deno.customInspect", "nodejs.util.inspect.custom"].map((name) => Symbol.for(name));
  for (const key of [...keys, "toString"]) {
    define(key, function () {
      return `Tensor ${showShape(shapeOf(this))} on ${this.backend.name}${note(this)}`;
    });
  }
  define("toJSON", function () {
    throw new TypeError(
      `Cannot make JSON: tensors must be saved by saveTree, current value is ${show(this)}`,
    );
  });
}
