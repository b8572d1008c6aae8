/**
 * The comparison as it is printed.
 *
 * @module
 */
import { digits, megabytes, times } from "../report/format.ts";
import { labelOf } from "../subjects.ts";
import type { Comparison } from "./compare.ts";

/** A table of a model of a preset, who is left out and why, and the limits. */
export function toText({ token, leftOut, limits }: Comparison): string {
  const [own] = token;
  const { bytes, readMs, multiplyAdds, multiplyAddMs } = limits;
  const row = (name: string, time: string, ratio: string) =>
    `  ${name.padEnd(20)}${time.padStart(9)}${ratio.padStart(12)}`;
  return [
    `${own.preset} ${labelOf(own)}, a token after ${own.length - 1}`,
    row("", "ms", "seqmix ÷ it"),
    ...token.map(({ implementation, medianMs }) =>
      row(implementation, digits(medianMs), times(own.medianMs / medianMs))
    ),
    ...leftOut.map(({ implementation, reason }) => `  ${implementation} is left out: ${reason}`),
    `  Limits: ${digits(readMs)} ms to read ${megabytes(bytes)} MB at ${
      digits(bytes / readMs / 1e6)
    } GB/s, ` +
    `${digits(multiplyAddMs)} ms for ${digits(multiplyAdds / 1e6)} million multiply-adds at ` +
    `${digits(multiplyAdds / multiplyAddMs / 1e6)} G/s`,
  ].join("\n");
}
