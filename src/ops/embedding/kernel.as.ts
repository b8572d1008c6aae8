import { accumulate, copy } from "../../backends/wasm/vectors.as";

/** y[i] = weight[ids[i]]; NaN for an id without a row */
export function embedding(y: usize, ids: usize, weight: usize, count: i32, vocabulary: i32, channels: i32): void {
  const row = (<usize> channels) << 2;
  for (let i = 0; i < count; i++, ids += 4, y += row) {
    const id = load<f32>(ids);
    if (id >= 0 && id < <f32> vocabulary && floor(id) == id) {
      copy(y, weight + <usize> <i32> id * row, channels);
    } else {
      for (let c: usize = 0; c < row; c += 4) store<f32>(y + c, NaN);
    }
  }
}

/** gWeight[id] = Σ gy[i] over all i with ids[i] = id; an id without a row is ignored */
export function embeddingBackward(
  gWeight: usize,
  gy: usize,
  ids: usize,
  count: i32,
  vocabulary: i32,
  channels: i32,
): void {
  const row = (<usize> channels) << 2;
  memory.fill(gWeight, 0, row * <usize> vocabulary);
  for (let i = 0; i < count; i++, ids += 4, gy += row) {
    const id = load<f32>(ids);
    if (id >= 0 && id < <f32> vocabulary && floor(id) == id) {
      accumulate(gWeight + <usize> <i32> id * row, gy, channels);
    }
  }
}
