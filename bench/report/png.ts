/**
 * Figures as PNG, identical on every machine: with an embedded font and without a browser.
 *
 * @module
 */
// Deno only fetches packages with an import; without React Native, this is all that this one provides.
import "@expo-google-fonts/arimo/package.json" with { type: "json" };
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import { createRequire } from "node:module";

const { resolve } = createRequire(import.meta.url);

/** Arimo, which has the metrics of Arial, the figures' font. */
const fonts = [
  "400Regular/Arimo_400Regular.ttf",
  "600SemiBold/Arimo_600SemiBold.ttf",
  "700Bold/Arimo_700Bold.ttf",
];

/** Pixels for each unit of the SVG: sharp on high-resolution screens. */
const scale = 2;

let ready: Promise<void> | undefined;

/** Renders an SVG. */
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
