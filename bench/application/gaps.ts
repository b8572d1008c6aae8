/**
 * Measures the delay of a timer of 1 ms while a model generates, reads a prompt, is evaluated and is trained.
 *
 * @module
 */
import { type Backend, crossEntropy, read, valueAndGrad } from "@seqmix/seqmix";
import { median } from "../measure/statistics.ts";
import { GapMeter, type GapSummary } from "./gap_meter.ts";
import type { Request } from "./request.ts";
import { evaluateOn, generateTokens, makeSubject, makeTask, promptOf, type Subject, train } from "./work.ts";

/** The gaps during one kind of computation. */
export interface GapRow extends GapSummary {
  readonly doing: string;
  /** Tokens per second; null if the computation processes none. */
  readonly tokensPerS: number | null;
  /**
   * The smallest unit of work and its time alone in ms: a token, or a sequence forward (and backward); null if it
   * has none.
   */
  readonly unit: string | null;
  readonly unitMs: number | null;
}

/**
 * The time in ms for which a control without the library computes between two turns, to measure the noise of the
 * machine.
 */
const spin = 20;

/** The number of tokens in a stream, for a second or a few. */
function tokensFor({ backend, preset, model, count }: Request): number {
  if (count !== null) return count;
  if (backend !== "wasm") return 300;
  return (preset === "article" ? 4000 : 20_000) / (model === "transformer" ? 4 : 1);
}

/** Measures one model. */
export async function measureGaps(request: Request, backend: Backend): Promise<GapRow[]> {
  const subject = await makeSubject(request.preset, request.model, backend);
  const tokens = tokensFor(request);
  const task = makeTask(backend.name.startsWith("wasm") ? 128 : 32);
  const rows: GapRow[] = [];
  using meter = new GapMeter();

  /** Runs a computation and records its gaps. */
  async function note(doing: string, count: number, work: () => Promise<unknown>): Promise<GapRow> {
    await meter.start();
    const begun = performance.now();
    await work();
    const seconds = (performance.now() - begun) / 1000;
    return {
      doing,
      tokensPerS: count === 0 ? null : count / seconds,
      unit: null,
      unitMs: null,
      ...meter.take(),
    };
  }

  rows.push(await note(`spin for ${spin} ms`, 0, spinFor2Seconds));

  const streams = [["generate", [1], tokens], ["prompt", promptOf(tokens + 1), 1]] as const;
  for (const [doing, prompt, drawn] of streams) {
    // During the first, a GPU's driver compiles the shaders of a token.
    for (const time of ["first", "next"]) {
      let state: unknown;
      const row = await note(`${doing}, ${time}`, tokens, async () => {
        state = await generateTokens(subject, prompt, drawn);
      });
      rows.push({ ...row, unit: "token", unitMs: await tokenMs(subject, state) });
      backend.free(state);
    }
  }

  const [sequence] = task.test;
  const evaluating = await note("evaluate", positionsOf(task.test), () => evaluateOn(subject, task.test));
  rows.push({ ...evaluating, unit: "sequence", unitMs: await sequenceMs(subject, sequence) });

  const gradientMs = await gradientMsOf(subject, sequence);
  await meter.start();
  let begun = performance.now();
  await train(subject, task, 2, (epoch) => {
    const seconds = (performance.now() - begun) / 1000;
    rows.push({
      doing: epoch === 1 ? "fit, first epoch" : "fit, next epoch",
      tokensPerS: (positionsOf(task.train) + positionsOf(task.test)) / seconds,
      unit: "gradient of a sequence",
      unitMs: gradientMs,
      ...meter.take(),
    });
    begun = performance.now();
  });
  return rows;
}

function positionsOf(sequences: readonly ArrayLike<number>[]): number {
  return sequences.reduce((sum, { length }) => sum + length - 1, 0);
}

async function spinFor2Seconds(): Promise<void> {
  for (const end = performance.now() + 2000; performance.now() < end;) {
    for (const pause = performance.now() + spin; performance.now() < pause;);
    await new Promise((resolve) => setTimeout(resolve));
  }
}

/** The median time of several runs. */
async function medianMs(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 7; i++) {
    const begun = performance.now();
    await run();
    times.push(performance.now() - begun);
  }
  return median(times.slice(2));
}

/** The time of a token after a state. */
function tokenMs({ model, params, backend }: Subject, state: unknown): Promise<number> {
  return medianMs(async () => {
    const next = model.forward(params, [[1]], state);
    await read(next.logits);
    backend.free(next);
  });
}

/** The time of a sequence forward. */
function sequenceMs({ model, params, backend }: Subject, sequence: ArrayLike<number>): Promise<number> {
  const inputs = [Array.from(sequence).slice(0, -1)];
  return medianMs(async () => {
    const logits = backend.scope(() => model.forward(params, inputs, model.initialState(params)).logits);
    await read(logits);
    backend.free(logits);
  });
}

/** The time of a sequence forward and backward. */
function gradientMsOf({ model, params, backend }: Subject, sequence: ArrayLike<number>): Promise<number> {
  const ids = Array.from(sequence), inputs = [ids.slice(0, -1)], targets = [ids.slice(1)];
  return medianMs(async () => {
    const found = backend.scope(() =>
      valueAndGrad((params) => {
        const { logits } = model.forward(params, inputs, model.initialState(params));
        return crossEntropy(logits, targets);
      }, params)
    );
    await read(found.value);
    backend.free(found);
  });
}
