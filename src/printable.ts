/**
 * Tensors as text: on a console their shape and backend; in JSON nothing, since it would not be their numbers.
 *
 * @module
 */
import { show, showShape } from "./check.ts";
import type { Tensor } from "./tensor.ts";
import { shapeOf } from "./tracked_shape.ts";

/**
 * Gives a class of tensors what Deno, Node and `JSON.stringify` look for. It is on the prototype and not enumerable: tensors
 * stay as cheap to make as before, and walks over their names do not meet it.
 *
 * @param note what is said of a tensor behind its backend
 */
export function makePrintable<T extends Tensor>(
  tensors: { readonly prototype: T },
  note: (t: T) => string,
): void {
  const define = (key: PropertyKey, value: (this: T) => string) =>
    Object.defineProperty(tensors.prototype, key, { value });
  for (const runtime of ["Deno.customInspect", "nodejs.util.inspect.custom"]) {
    define(Symbol.for(runtime), function () {
      return `Tensor ${showShape(shapeOf(this))} on ${this.backend.name}${note(this)}`;
    });
  }
  define("toJSON", function () {
    throw new TypeError(
      `Cannot make JSON: tensors must be saved by saveTree, current value is ${show(this)}`,
    );
  });
}
