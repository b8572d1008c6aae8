/** What `interleave` is to make of a matrix: see `one_row.as.ts`. */
export function interleaved(matrix: Float32Array, inputs: number): Float32Array {
  const outputs = matrix.length / inputs;
  const result: number[] = [];
  let first = 0;
  for (; first + 8 <= outputs; first += 8) {
    for (let i = 0; i < inputs; i += 4) {
      for (let row = first; row < first + 8; row++) {
        result.push(...matrix.subarray(row * inputs + i, row * inputs + Math.min(i + 4, inputs)));
      }
    }
  }
  return Float32Array.from([...result, ...matrix.subarray(first * inputs)]);
}
