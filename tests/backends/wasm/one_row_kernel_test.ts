/** The product of one row with a matrix, which is computed as eight streams of rows and the remaining rows. */
import { assertEquals } from "@std/assert";
import { linear } from "../../../src/ops/linear/reference.ts";
import { builds, comparing, draws, out } from "./kernel_memory.ts";

const { normals } = draws(9);

const inputSizes = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 31, 33, 127, 128, 513];
const outputSizes = [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 15, 16, 23, 32, 33, 100];

for (const { name: build, kernels } of builds) {
  const compare = comparing(kernels);

  Deno.test(`linear() of ${build} multiplies one row with matrices of any size`, () => {
    for (const inputs of inputSizes) {
      for (const outputs of outputSizes) {
        // All of one sign, because a sum that nearly cancels has no scale to compare with.
        const x = normals(inputs).map(Math.abs), matrix = normals(outputs * inputs).map(Math.abs);
        for (const bias of [null, normals(outputs).map(Math.abs)]) {
          compare("linear", linear, [out(outputs), x, matrix, bias, 1, inputs, outputs]);
        }
      }
    }
  });

  Deno.test(`linear() of ${build} confines a NaN of a matrix to its row`, () => {
    const [inputs, outputs] = [7, 23];
    for (let row = 0; row < outputs; row++) {
      const matrix = normals(outputs * inputs);
      matrix[row * inputs + 6] = NaN;
      const [y] = kernels.run("linear", [out(outputs), normals(inputs), matrix, null, 1, inputs, outputs]);
      assertEquals([...y.keys()].filter((i) => Number.isNaN(y[i])), [row]);
    }
  });
}
