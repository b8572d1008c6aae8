import type { Floats } from "../../tensor.ts";

/** A kernel that rotates the pair (i, i + N/2) of each head by the angle direction·(position + t)·base^(-2i/N) */
function turning(direction: 1 | -1) {
  return (
    y: Floats,
    x: Floats,
    batch: number,
    time: number,
    channels: number,
    heads: number,
    position: number,
    base: number,
  ): void => {
    const half = channels / heads / 2;
    for (let t = 0; t < time; t++) {
      for (let i = 0; i < half; i++) {
        const angle = direction * (position + t) * base ** (-i / half);
        const cos = Math.cos(angle), sin = Math.sin(angle);
        for (let b = 0; b < batch; b++) {
          for (let head = 0; head < heads; head++) {
            const at = (b * time + t) * channels + head * 2 * half + i;
            y[at] = x[at] * cos - x[at + half] * sin;
            y[at + half] = x[at + half] * cos + x[at] * sin;
          }
        }
      }
    }
  };
}

/** Rotates the pair (i, i + N/2) of each head by the angle (position + t)·base^(-2i/N) */
export const rotary = turning(1);

/** The gradient: rotates the pair (i, i + N/2) of each head back by the angle of `rotary` */
export const rotaryBackward = turning(-1);

/** A kernel that rotates the pair (i, i + N/2) of each head by the angle direction·position·base^(-2i/N) */
function turningAt(direction: 1 | -1) {
  return (
    y: Floats,
    x: Floats,
    position: Floats,
    batch: number,
    time: number,
    channels: number,
    heads: number,
    base: number,
  ): void => {
    const half = channels / heads / 2;
    for (let step = 0; step < batch * time; step++) {
      const p = position[step], isKnown = Number.isInteger(p) && p >= 0 && p < 2 ** 31;
      for (let i = 0; i < half; i++) {
        const angle = isKnown ? direction * p * base ** (-i / half) : NaN;
        const cos = Math.cos(angle), sin = Math.sin(angle);
        for (let head = 0; head < heads; head++) {
          const at = step * channels + head * 2 * half + i;
          y[at] = x[at] * cos - x[at + half] * sin;
          y[at + half] = x[at + half] * cos + x[at] * sin;
        }
      }
    }
  };
}

/**
 * Rotates the pair (i, i + N/2) of each head by the angle position·base^(-2i/N), a position for each step of each
 * sequence
 */
export const rotaryAt = turningAt(1);

/** The gradient: rotates the pair (i, i + N/2) of each head back by the angle of `rotaryAt` */
export const rotaryAtBackward = turningAt(-1);
