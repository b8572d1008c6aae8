import { hostArray } from "../../allocate.ts";
import { checkShape, isTensor, show } from "../../check.ts";
import { checkLists, tensorOfLists } from "../../number_lists.ts";
import { engineOf } from "../../engine.ts";
import type { Backend, Tensor } from "../../tensor.ts";
import { sizeOf } from "../../tree.ts";

/** Token ids: one list for each sequence, all of one length, or a tensor `[B, T]`. */
export type Tokens = readonly ArrayLike<number>[] | Tensor;

/**
 * Token ids as a tensor `[B, T]`. Lists are checked here. A tensor's values are not known on the host, so an id
 * that is out of range gives NaN when it is looked up.
 *
 * @param masked whether any value is allowed at a position, because it is not looked up or the host can't know
 *   whether it is
 */
export function tokenTensor(
  action: string,
  name: string,
  tokens: Tokens,
  vocabulary: number,
  backend: Backend,
  masked: (b: number, t: number) => boolean = () => false,
): Tensor {
  const given = isTensor(tokens) ? tokens : tensorOfLists(tokens);
  if (given !== undefined) {
    checkShape(action, name, given, "B", "T");
    checkLists(given, (lists) => checkIds(action, name, lists, vocabulary, masked));
    return given;
  }
  if (!Array.isArray(tokens) || tokens.length === 0 || !(tokens[0]?.length > 0)) {
    const current = Array.isArray(tokens) && tokens.length > 0 ? `[${show(tokens[0])}, ...]` : show(tokens);
    const requirement = "must be a tensor [B, T] or a list of B lists of T ids, B and T at least 1";
    throw new TypeError(`Cannot ${action}: ${name} ${requirement}, current value is ${current}`);
  }
  const time = tokens[0].length, shape = [tokens.length, time];
  const ids = hostArray(action, Float64Array, sizeOf(shape), backend.memory().bytes);
  for (let b = 0; b < tokens.length; b++) {
    if (tokens[b]?.length !== time) {
      throw new TypeError(
        `Cannot ${action}: ${name} must have one length, current lengths are ${time} and ${
          tokens[b]?.length
        }`,
      );
    }
  }
  checkIds(action, name, tokens, vocabulary, masked);
  tokens.forEach((list, b) => ids.set(list, b * time));
  return engineOf(backend).upload(ids, shape);
}

function checkIds(
  action: string,
  name: string,
  lists: readonly ArrayLike<number>[],
  vocabulary: number,
  masked: (b: number, t: number) => boolean,
): void {
  for (let b = 0; b < lists.length; b++) {
    const list = lists[b];
    for (let t = 0; t < list.length; t++) {
      const id = list[t];
      if (!(id >= 0 && id < vocabulary && Number.isInteger(id)) && !masked(b, t)) {
        throw new RangeError(
          `Cannot ${action}: ${name} must be integers from 0 to ${vocabulary - 1}, current id is ${
            show(id)
          } ` +
            `at [${b}, ${t}]`,
        );
      }
    }
  }
}
