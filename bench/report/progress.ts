/**
 * How far a measurement is: a bar where stderr is a terminal, a line otherwise.
 *
 * @module
 */
// @ts-types="npm:@types/cli-progress@^3.11.6"
import { Presets, SingleBar } from "cli-progress";

/** Shows how far a task is, until it is disposed of. */
export interface ProgressBar extends Disposable {
  update(done: number, total: number): void;
}

export function startProgress(task: string): ProgressBar {
  if (!Deno.stderr.isTerminal()) {
    console.error(`${task} ...`);
    return { update() {}, [Symbol.dispose]() {} };
  }
  const bar = new SingleBar(
    { format: `${task} {bar} {percentage}% | {eta_formatted} left`, clearOnComplete: true, hideCursor: true },
    Presets.shades_classic,
  );
  bar.start(1, 0);
  let prepared = false;
  return {
    update(done, total) {
      // Started again once the whole is known: what is left is reckoned from here, not from the preparations.
      if (!prepared) bar.start(total, 0);
      prepared = true;
      bar.update(done);
    },
    [Symbol.dispose]: () => bar.stop(),
  };
}
