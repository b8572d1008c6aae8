/**
 * How far a measurement is: a bar where stderr is a terminal, a line otherwise.
 *
 * @module
 */
// @ts-types="npm:@types/cli-progress@^3.11.6"
import { Presets, SingleBar } from "cli-progress";

/** Shows the progress of a task of an unknown size until it is stopped. */
export interface ProgressBar {
  update(done: number, total: number): void;
  stop(): void;
}

export function startProgress(task: string): ProgressBar {
  if (!Deno.stderr.isTerminal()) {
    console.error(`${task} ...`);
    return { update() {}, stop() {} };
  }
  const bar = new SingleBar(
    { format: `${task} {bar} {percentage}% | {eta_formatted} left`, clearOnComplete: true, hideCursor: true },
    Presets.shades_classic,
  );
  bar.start(1, 0);
  return {
    update(done, total) {
      bar.setTotal(total);
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}
