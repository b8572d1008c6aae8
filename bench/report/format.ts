/** Formats three significant digits: `0.0183`, `1.43`, `205`. */
export function digits(value: number): string {
  if (value === 0) return "0";
  const decimals = 2 - Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(5, Math.max(0, decimals)));
}

/** Formats bytes in MB of 10⁶ bytes. */
export function megabytes(bytes: number | null): string {
  return bytes === null ? "-" : digits(bytes / 1e6);
}

/** `3.18x` */
export function times(ratio: number): string {
  return `${ratio >= 100 ? ratio.toFixed(0) : ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2)}x`;
}

/** `1 epoch`, `50 epochs` */
export function counted(count: number, what: string): string {
  return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
}

/** `45 s`, `3 min 20 s` */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
