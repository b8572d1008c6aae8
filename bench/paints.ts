/**
 * Counts the frames that a page paints while the library computes in it, in headless Chromium.
 *
 *     deno run -A bench/paints.ts
 */
import { bundle, runInPage } from "../tests/browser/chromium.ts";
import type { Painted } from "./browser/page.ts";

const script = await bundle(`import ${JSON.stringify(new URL("browser/page.ts", import.meta.url).href)};`);
const version = await runInPage(script, async (page) => {
  await page.exposeFunction("report", ({ what, seconds, frames, longestGap, did }: Painted) => {
    console.log(
      `${what.padEnd(34)} ${(frames / seconds).toFixed(1).padStart(5)} frames a second, longest gap ` +
        `${longestGap.toFixed(0)} ms; ${did} in ${seconds.toFixed(1)} s`,
    );
  });
});
console.log(
  `Chromium ${version}, ${navigator.hardwareConcurrency} cores, ${new Date().toISOString().slice(0, 10)}`,
);
