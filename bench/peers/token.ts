/**
 * Compares the time of a token: here in Deno and Node.js, in ONNX Runtime, jax-js and PyTorch, and its lower
 * bounds.
 *
 * @module
 */
import { median } from "../measure/statistics.ts";
import { labelOf, presetNames } from "../measure/subjects.ts";
import { clocked, type Effort, type Progress } from "../measure/timer.ts";
import type { Part } from "../report/document.ts";
import { digits, megabytes } from "../report/format.ts";
import { type Case, casesOf } from "./case.ts";
import { columnsOf, compare, type LeftOut, leftOutNotes, type Named } from "./compare.ts";
import { jax } from "./jax.ts";
import { inNode } from "./node.ts";
import { onnxRuntimeNode, onnxRuntimeWeb } from "./onnxruntime.ts";
import { compileRoofline } from "./roofline.ts";
import { pyTorch } from "./pytorch.ts";
import { expectedLogits, inDeno } from "./seqmix.ts";

/** The time of a token in an implementation. */
interface TokenRow extends Named {
  readonly mode: Case["mode"];
  readonly length: number;
  readonly implementation: string;
  readonly medianMs: number;
}

/** Lower bounds on the time of a token. */
interface LimitRow extends Named {
  /** The bytes of weights, and of the cache, if any. */
  readonly bytes: number;
  readonly multiplyAdds: number;
  /** The times of the matrix-vector products, of reading the bytes, and of the multiply-adds. */
  readonly productsMs: number;
  readonly readMs: number;
  readonly multiplyAddMs: number;
}

interface TokenComparison {
  readonly token: readonly TokenRow[];
  readonly limits: readonly LimitRow[];
  readonly leftOut: readonly LeftOut[];
}

/** The number of tokens in the context, including the one that is timed. */
const length = 256;
/** Samples are long enough that a token follows many others, and short enough that most are not interrupted. */
const effort: Effort = { warmUpMs: 400, leadInMs: 5, sampleMs: 10, rounds: 51, budgetMs: Infinity };

const peers = [inDeno, inNode, onnxRuntimeNode, onnxRuntimeWeb, jax, ...pyTorch];

/** Compares a token of all models of all presets. */
export async function compareTokens(
  rounds: number | undefined,
  progress: Progress,
): Promise<TokenComparison> {
  const token: TokenRow[] = [], limits: LimitRow[] = [], leftOut: LeftOut[] = [];
  const rooflineOf = await compileRoofline();
  const cases = (await Promise.all(presetNames.map((preset) => casesOf(preset, length)))).flat();
  for (const subject of cases) {
    const { model, preset, mode } = subject;
    const { bytes, multiplyAdds, ...roofline } = await rooflineOf(subject);
    const compared = await compare(subject, peers, {
      expected: await expectedLogits(subject),
      beside: [clocked(roofline.products), clocked(roofline.read), clocked(roofline.multiplyAdd)],
      effort: { ...effort, rounds: rounds ?? effort.rounds },
      progress: (done, total) => progress(limits.length + done / total, cases.length),
    });
    const [productsMs, readMs, multiplyAddMs] = compared.beside.map(median);
    limits.push({ model, preset, bytes, multiplyAdds, productsMs, readMs, multiplyAddMs });
    leftOut.push(...compared.leftOut);
    token.push(...compared.peers.map(({ implementation, samples }) => {
      return { model, preset, mode, length, implementation, medianMs: median(samples) };
    }));
  }
  return { token, limits, leftOut };
}

/** The comparison as tables. */
export function tokenParts({ token, limits, leftOut }: TokenComparison): Part[] {
  const columns = columnsOf(token);
  return [{
    title: `A token at a context of ${length}, ms`,
    table: {
      columns: ["preset", "model", ...columns],
      rows: limits.map(({ model, preset }) => {
        const own = token.filter((row) => row.model === model && row.preset === preset);
        const shown = columns.map((name) => own.find(({ implementation }) => implementation === name));
        return [preset, labelOf({ model }), ...shown.map((row) => row ? digits(row.medianMs) : "-")];
      }),
    },
    notes: leftOutNotes(leftOut),
  }, {
    title: "Lower bounds on the time of a token, with 128-bit instructions on one thread",
    table: {
      columns: [
        "preset",
        "model",
        "products, ms",
        "read, ms",
        "MB",
        "GB/s",
        "multiply-adds, ms",
        "millions",
        "G/s",
      ],
      rows: limits.map(({ preset, model, bytes, multiplyAdds, productsMs, readMs, multiplyAddMs }) => [
        preset,
        labelOf({ model }),
        digits(productsMs),
        digits(readMs),
        megabytes(bytes),
        digits(bytes / readMs / 1e6),
        digits(multiplyAddMs),
        digits(multiplyAdds / 1e6),
        digits(multiplyAdds / multiplyAddMs / 1e6),
      ]),
    },
  }];
}
