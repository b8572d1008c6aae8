import { doubles } from "../../allocate.ts";
import type { Floats } from "../../tensor.ts";

/** y[i] = weight[ids[i]]; NaN for an id without a row */
export function embedding(
  y: Floats,
  ids: Floats,
  weight: Floats,
  count: number,
  vocabulary: number,
  channels: number,
): void {
  for (let i = 0; i < count; i++) {
    const id = ids[i];
    const known = id >= 0 && id < vocabulary && Number.isInteger(id);
    for (let c = 0; c < channels; c++) y[i * channels + c] = known ? weight[id * channels + c] : NaN;
  }
}

/** gWeight[id] = Σ gy[i] over all i with ids[i] = id; an id without a row is ignored */
export function embeddingBackward(
  gWeight: Floats,
  gy: Floats,
  ids: Floats,
  count: number,
  vocabulary: number,
  channels: number,
): void {
  const sums = doubles(vocabulary * channels);
  for (let i = 0; i < count; i++) {
    const id = ids[i];
    const known = id >= 0 && id < vocabulary && Number.isInteger(id);
    if (!known) continue;
    for (let c = 0; c < channels; c++) sums[id * channels + c] += gy[i * channels + c];
  }
  gWeight.set(sums);
}
