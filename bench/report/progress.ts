/**
 * Shows the progress of a measurement: as a bar if stderr is a terminal, otherwise as lines.
 *
 * @module
 */
// @ts-types="npm:@types/cli-progress@^3.11.6"
import { Presets, SingleBar } from "cli-progress";
import { duration } from "./format.ts";

/** Shows the progress of a task until it is disposed of. */
export interface ProgressBar extends Disposable {
  /**
   * @param status a description of the current work, shown next to the bar
   */
  update(done: number, total: number, status?: string): void;
  /** Prints a line if there is no bar, for logs. */
  log(line: string): void;
}

export function startProgress(task: string): ProgressBar {
  if (!Deno.stderr.isTerminal()) {
    console.error(`${task} ...`);
    return { update() {}, log: (line) => console.error(line), [Symbol.dispose]() {} };
  }
  const bar = new SingleBar(
    {
      format: `${task} {bar} {percentage}% | {eta_formatted} left{status}`,
      barsize: 24,
      // Before the first result the remaining time is unknown, which the bar would show in letters.
      formatTime: (seconds) => Number.isFinite(Number(seconds)) ? duration(seconds) : "?",
      clearOnComplete: true,
      hideCursor: true,
      // Its own handling of interrupts only ends the bar, while the task continues.
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  const interrupted = () => {
    bar.stop();
    Deno.exit(130);
  };
  Deno.addSignalListener("SIGINT", interrupted);
  bar.start(1, 0, { status: "" });
  let prepared = false;
  return {
    update(done, total, status) {
      // Restarted once the total is known, so that the estimate does not include the preparations.
      if (!prepared) bar.start(total, done, { status: "" });
      prepared = true;
      bar.update(done, { status: status === undefined ? "" : ` | ${status}` });
    },
    log() {},
    [Symbol.dispose]() {
      bar.stop();
      Deno.removeSignalListener("SIGINT", interrupted);
    },
  };
}
