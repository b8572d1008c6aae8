/** The product of one row with a matrix whose rows are interleaved, and the way there and back. */
import { assertEquals } from "@std/assert";
import { linear } from "../../../src/ops/linear/reference.ts";
import { interleaved } from "./interleaved.ts";
import { builds, comparing, draws, out } from "./kernel_memory.ts";

const { normals } = draws(9);

const widest = 4096;
const inputSizes = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 31, 33, 127, 128, 513];
const outputSizes = [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 15, 16, 23, 32, 33, 100];

for (const { name: build, kernels } of builds) {
  const compare = comparing(kernels);

  Deno.test(`interleave() and separate() of ${build} order matrices of any size`, () => {
    for (const inputs of inputSizes) {
      for (const outputs of outputSizes) {
        const matrix = normals(outputs * inputs);
        const run = (name: "interleave" | "separate", inPlace: Float32Array) =>
          kernels.run(name, [{ inPlace }, inputs, outputs])[0];
        const ordered = run("interleave", matrix);
        assertEquals(ordered, interleaved(matrix, inputs), `${outputs}, ${inputs}`);
        assertEquals(run("separate", ordered), matrix, `${outputs}, ${inputs}`);
      }
    }
  });

  Deno.test(`interleave() of ${build} leaves a matrix whose rows are too wide`, () => {
    for (const inputs of [widest, widest + 1]) {
      const matrix = normals(9 * inputs);
      const [ordered] = kernels.run("interleave", [{ inPlace: matrix }, inputs, 9]);
      assertEquals(ordered, inputs === widest ? interleaved(matrix, inputs) : matrix);
    }
  });

  Deno.test(`linear() of ${build} gives one row the same bits by an interleaved matrix`, () => {
    for (const inputs of inputSizes) {
      for (const outputs of outputSizes) {
        const x = normals(inputs), matrix = normals(outputs * inputs);
        for (const bias of [null, normals(outputs)]) {
          const sizes = [1, inputs, outputs];
          const [plain] = kernels.run("linear", [out(outputs), x, matrix, bias, ...sizes, 0]);
          const other = interleaved(matrix, inputs);
          const [same] = kernels.run("linear", [out(outputs), x, other, bias, ...sizes, 1]);
          assertEquals(same, plain, `${outputs}, ${inputs}`);
          // One sum alone may nearly cancel, and then has no scale.
          if (outputs > 4) compare("linear", linear, [out(outputs), x, matrix, bias, ...sizes]);
        }
      }
    }
  });

  Deno.test(`linear() of ${build} keeps a NaN of an interleaved matrix in its row`, () => {
    const [inputs, outputs] = [7, 21];
    for (const row of [0, 7, 11, 17, 20]) {
      const matrix = normals(outputs * inputs);
      matrix[row * inputs + 6] = NaN;
      const other = interleaved(matrix, inputs);
      const [y] = kernels.run("linear", [out(outputs), normals(inputs), other, null, 1, inputs, outputs, 1]);
      assertEquals([...y.keys()].filter((i) => Number.isNaN(y[i])), [row]);
    }
  });
}
