/** The median; for an even number of samples the mean of the middle two. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The 99th percentile; null for fewer than 100 samples, which do not determine it. */
export function p99(samples: readonly number[]): number | null {
  if (samples.length < 100) return null;
  return samples.toSorted((a, b) => a - b)[Math.ceil(0.99 * samples.length) - 1];
}

export function mean(samples: readonly number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
}

/** The sample standard deviation, with n - 1; null for a single sample. */
export function deviation(samples: readonly number[]): number | null {
  if (samples.length < 2) return null;
  const middle = mean(samples);
  return Math.sqrt(samples.reduce((sum, sample) => sum + (sample - middle) ** 2, 0) / (samples.length - 1));
}
