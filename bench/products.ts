/**
 * The limit beside a token's time: the matrix-vector products alone, with no layer around them.
 *
 * @module
 */
import { linear, read, type Tensor, tensor, treeMap } from "@seqmix/seqmix";
import { linear as referenceLinear } from "../src/ops/linear/reference.ts";
import { randomSource } from "../src/random.ts";
import { settle, type Subject } from "./subjects.ts";

/**
 * The products of all matrices of a model that a token is multiplied with (all but the embedding, whose rows are
 * looked up), each with a vector of its own. On the reference they are the kernel's loops over typed arrays and
 * nothing else; on other backends the library's `linear`, a call a matrix.
 *
 * @returns runs all of them, some times
 */
export async function bareProducts(subject: Subject): Promise<(times: number) => void | Promise<void>> {
  const matrices = matricesOf(subject.params as Record<string, unknown>);
  const random = randomSource(3);
  const vectors = matrices.map(({ shape: [, inputs] }) =>
    Float32Array.from({ length: inputs }, random.normal)
  );
  return subject.backend.name === "reference"
    ? await onTypedArrays(matrices, vectors)
    : onBackend(subject, matrices, vectors);
}

function matricesOf({ embedding: _, ...rest }: Record<string, unknown>): Tensor[] {
  const matrices: Tensor[] = [];
  treeMap(rest, (t) => {
    if (t.shape.length === 2) matrices.push(t);
    return t;
  });
  return matrices;
}

interface Product {
  readonly y: Float32Array;
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
}

async function onTypedArrays(matrices: readonly Tensor[], vectors: readonly Float32Array[]) {
  const products: Product[] = await Promise.all(matrices.map(async (matrix, i) => {
    const [outputs, inputs] = matrix.shape;
    return { y: new Float32Array(outputs), x: vectors[i], weight: await read(matrix), inputs, outputs };
  }));
  products.forEach(multiply);
  for (const { y } of products) checkProduct(y);
  return (times: number) => {
    for (let i = 0; i < times; i++) products.forEach(multiply);
  };
}

/** A function of its own: inlined into the loop over all products, it is at times compiled to code that takes half as long again. */
function multiply({ y, x, weight, inputs, outputs }: Product): void {
  referenceLinear(y, x, weight, null, 1, inputs, outputs);
}

async function onBackend(
  { backend }: Subject,
  matrices: readonly Tensor[],
  vectors: readonly Float32Array[],
) {
  const inputs = vectors.map((x) => tensor(x, [1, x.length], backend));
  const last = () => backend.scope(() => matrices.map((matrix, i) => linear(inputs[i], matrix)).at(-1)!);
  const y = last();
  checkProduct(await read(y));
  backend.free(y);
  return (times: number) => {
    for (let i = 1; i < times; i++) backend.free(last());
    return settle(last());
  };
}

function checkProduct(y: Float32Array): void {
  if (!y.every((value) => Number.isFinite(value) && value !== 0)) {
    throw new Error(`Cannot measure matrix-vector products: results must be finite, current ones are ${y}`);
  }
}
