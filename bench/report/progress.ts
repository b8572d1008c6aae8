/**
 * How far a measurement is: a bar where stderr is a terminal, lines otherwise.
 *
 * @module
 */
// @ts-types="npm:@types/cli-progress@^3.11.6"
import { Presets, SingleBar } from "cli-progress";
import { duration } from "./format.ts";

/** Shows how far a task is, until it is disposed of. */
export interface ProgressBar extends Disposable {
  /** @param status what is going on, beside the bar */
  update(done: number, total: number, status?: string): void;
  /** A line where there is no bar: a log can be read later. */
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
      // Before the first of it is done nothing is known of the rest, and the bar says so in letters.
      formatTime: (seconds) => Number.isFinite(Number(seconds)) ? duration(seconds) : "?",
      clearOnComplete: true,
      hideCursor: true,
      // Its own way of being interrupted ends the bar alone, and the task goes on unseen.
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
      // Started again once the whole is known: what is left is reckoned from here, not from the preparations.
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
