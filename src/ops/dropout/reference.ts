import type { Floats } from "../../tensor.ts";
import { pcg4d } from "../sample/pcg4d.ts";

/** y = x · 0 where the hash of an element's index is below `dropped`, else x · scale */
export function dropout(
  y: Floats,
  x: Floats,
  step: Floats | null,
  size: number,
  dropped: number,
  scale: number,
  seed: number,
  base: number,
): void {
  const draw = base + (step === null ? 0 : step[0]);
  for (let i = 0; i < size; i++) y[i] = x[i] * (pcg4d(seed, draw, i, salt) >>> 8 < dropped ? 0 : scale);
}

/** The last word of the hash, which in `sample` is a token's id: the same seed there draws something else. */
const salt = -1;

/** gx = gy · 0 or gy · scale, by the same draw */
export function dropoutBackward(
  gx: Floats,
  gy: Floats,
  step: Floats | null,
  size: number,
  dropped: number,
  scale: number,
  seed: number,
  base: number,
): void {
  dropout(gx, gy, step, size, dropped, scale, seed, base);
}
