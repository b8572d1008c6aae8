import { assertEquals } from "@std/assert";
import { publicTypes } from "../../tools/public_types.ts";

const declarations = new Map(Object.entries({
  "mod.d.ts": `export * from "./area.js";
export { double, type Named } from "./numbers.js";
`,
  "area.d.ts": `import { check, type Side, type Unit } from "./internal.js";
/** The area of a square. */
export declare function area(side: Side): number;
/** For other modules. */
export declare const checkArea: typeof check<Unit>;
`,
  "internal.d.ts": `/** For other modules. */
export declare function check<T>(x: T): T;
/** For other modules. */
export interface Unit {
    readonly meters: number;
}
/** A side. */
export type Side = Length | import("./numbers.js").Sides;
/** Not exported. */
interface Length {
    /** At least 0. */
    readonly length: number;
}
export {};
`,
  "numbers.d.ts": `/** All sides. */
export type Sides = readonly number[];
export type { Named } from "./named.js";
export { type Unused, unused } from "./named.js";
/** Twice a number. */
export declare const double: (x: number) => number;
`,
  "named.d.ts": `export interface Named {
    name: string;
}
export type Unused = string;
export declare const unused: Unused;
`,
}));

Deno.test("publicTypes() keeps the exports of entry points and what they mention, with documentation", () => {
  const reduced = publicTypes(declarations, ["mod.d.ts", "area.d.ts"]);
  assertEquals(reduced.get("mod.d.ts"), declarations.get("mod.d.ts"));
  // An entry point itself: all that it exports is public.
  assertEquals(reduced.get("area.d.ts"), declarations.get("area.d.ts"));
  assertEquals(reduced.get("internal.d.ts"), declarations.get("internal.d.ts"));
  assertEquals(
    reduced.get("named.d.ts"),
    `export interface Named {
    name: string;
}
`,
  );
});

Deno.test("publicTypes() drops what only other modules use", () => {
  const reduced = publicTypes(
    new Map([...declarations, ["mod.d.ts", `export { area } from "./area.js";\n`]]),
    ["mod.d.ts"],
  );
  assertEquals(
    reduced.get("area.d.ts"),
    `import { type Side } from "./internal.js";
/** The area of a square. */
export declare function area(side: Side): number;
`,
  );
  assertEquals(
    reduced.get("internal.d.ts"),
    `/** A side. */
export type Side = Length | import("./numbers.js").Sides;
/** Not exported. */
interface Length {
    /** At least 0. */
    readonly length: number;
}
export {};
`,
  );
  assertEquals(
    reduced.get("numbers.d.ts"),
    `/** All sides. */
export type Sides = readonly number[];
`,
  );
});
