/**
 * Figures as PNG, the same on every machine: with a font of its own and without a browser.
 *
 * @module
 */
// Deno fetches packages that something is imported from; this is all that this one has without React Native.
import "@expo-google-fonts/arimo/package.json" with { type: "json" };
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import { createRequire } from "node:module";

const { resolve } = createRequire(import.meta.url);

/** Arimo, which has the widths of the Arial that the figures ask for. */
const fonts = [
  "400Regular/Arimo_400Regular.ttf",
  "600SemiBold/Arimo_600SemiBold.ttf",
  "700Bold/Arimo_700Bold.ttf",
];

/** Pixels for each unit of the SVG: sharp on a dense screen. */
const scale = 2;

let ready: Promise<void> | undefined;

/** The picture that an SVG describes. */
export async function toPng(svg: string): Promise<Uint8Array> {
  await (ready ??= Deno.readFile(resolve("@resvg/resvg-wasm/index_bg.wasm")).then(initWasm));
  const fontBuffers = await Promise.all(
    fonts.map((name) => Deno.readFile(resolve(`@expo-google-fonts/arimo/${name}`))),
  );
  const drawing = new Resvg(svg, {
    fitTo: { mode: "zoom", value: scale },
    font: { fontBuffers, defaultFontFamily: "Arimo", sansSerifFamily: "Arimo" },
  });
  const picture = drawing.render();
  const png = picture.asPng();
  picture.free();
  drawing.free();
  return png;
}
