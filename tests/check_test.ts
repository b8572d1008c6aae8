import { assertEquals } from "@std/assert";
import { createReference, type Tensor, tensor } from "@seqmix/seqmix";
import {
  checkInteger,
  checkLast,
  checkSameShape,
  checkShape,
  isBranch,
  isTensor,
  sharedBackend,
  show,
  showShape,
} from "../src/check.ts";
import { testFailures, wrong } from "./helpers.ts";

class Own {}
const x = tensor([1, 2, 3, 4, 5, 6], [1, 2, 3]);

Deno.test("show() describes any value briefly", () => {
  const shown: readonly (readonly [unknown, string])[] = [
    [x, "a tensor of shape [1, 2, 3]"],
    [[1, 2], "an array of length 2"],
    ["a", '"a"'],
    [{}, "an object (Object)"],
    [new Own(), "an object (Own)"],
    [Object.create(null), "an object (no class)"],
    [() => 1, "a function"],
    [NaN, "NaN"],
    [-0.5, "-0.5"],
    [10n, "10n"],
    [Symbol("s"), "Symbol(s)"],
    [null, "null"],
    [undefined, "undefined"],
    [true, "true"],
  ];
  for (const [value, text] of shown) assertEquals(show(value), text);
  assertEquals([showShape([]), showShape(["...", 3, "C"])], ["[]", "[..., 3, C]"]);
});

Deno.test("isTensor() and isBranch() distinguish leaves, branches and other values", () => {
  assertEquals([isTensor(x), isBranch(x)], [true, false]);
  for (const branch of [{}, [], Object.create(null)]) {
    assertEquals([isTensor(branch), isBranch(branch)], [false, true]);
  }
  for (const leaf of [null, undefined, 1, "x", new Own(), () => 1, new Map(), new Float32Array(1)]) {
    assertEquals([isTensor(leaf), isBranch(leaf)], [false, false]);
  }
  assertEquals([isTensor({ shape: [1] }), isTensor({ backend: x.backend })], [false, false]);
});

Deno.test("checkShape() accepts any size for a name", () => {
  checkShape("test", "x", x, 1, 2, 3);
  checkShape("test", "x", x, "B", 2, "C");
  checkLast("test", "x", x, 3);
  checkLast("test", "x", x, "C");
  checkSameShape("test", "x", x, [1, 2, 3]);
});

const refusals: readonly (readonly [expected: string, check: (x: Tensor) => void])[] = [
  ["[1, 2]", (x) => checkShape("test", "x", x, 1, 2)],
  ["[B]", (x) => checkShape("test", "x", x, "B")],
  ["[1, 3, 3]", (x) => checkShape("test", "x", x, 1, 3, 3)],
  ["[..., 2]", (x) => checkLast("test", "x", x, 2)],
  ["[1, 2]", (x) => checkSameShape("test", "x", x, [1, 2])],
  ["[1, 2, 4]", (x) => checkSameShape("test", "x", x, [1, 2, 4])],
];

testFailures("checkShape()", [
  ...refusals.map(([expected, check]) =>
    [
      expected,
      () => check(x),
      TypeError,
      `Cannot test: x must be ${expected}, current shape is [1, 2, 3]`,
    ] as const
  ),
  ...[undefined, null, 3, { shape: [1, 2, 3] }].flatMap((value) =>
    refusals.map(([expected, check]) =>
      [
        `${show(value)} for ${expected}`,
        () => check(wrong(value)),
        TypeError,
        `Cannot test: x must be a tensor ${expected}, current value is ${show(value)}`,
      ] as const
    )
  ),
]);

const elsewhere = createReference();
const other = tensor([1], [1], elsewhere);

Deno.test("sharedBackend() is the backend that all of them live on", () => {
  assertEquals(sharedBackend("test", "a, b", x, x) === x.backend, true);
  assertEquals(sharedBackend("test", "a, b", other, other) === elsewhere, true);
});

testFailures("sharedBackend()", [
  [
    "the third",
    () => sharedBackend("test", "a, b, c", x, x, other),
    TypeError,
    "Cannot test: all tensors must live on one backend (move them with put), current a lives on reference and c " +
    "on another reference",
  ],
  [
    "another kind",
    () => sharedBackend("test", "a, b", x, { shape: [1], backend: wrong({ name: "wasm" }) }),
    TypeError,
    "Cannot test: all tensors must live on one backend (move them with put), current a lives on reference and b " +
    "on wasm",
  ],
]);

Deno.test("checkInteger() accepts integers in its range", () => {
  checkInteger("test", "n", 0, 0, 0);
  checkInteger("test", "n", Number.MAX_SAFE_INTEGER, 1);
});

testFailures("checkInteger()", [
  [
    "2⁵³ for at least 1",
    () => checkInteger("test", "n", 2 ** 53, 1),
    RangeError,
    "Cannot test: n must be an integer from 1 to 2⁵³ - 1, current value is 9007199254740992",
  ],
  ...[0, 1.5, NaN, Infinity].map((value) =>
    [
      `${value} for at least 1`,
      () => checkInteger("test", "n", value, 1),
      RangeError,
      `Cannot test: n must be an integer at least 1, current value is ${value}`,
    ] as const
  ),
  [
    "10 for 0 to 9",
    () => checkInteger("test", "n", 10, 0, 9),
    RangeError,
    "Cannot test: n must be an integer from 0 to 9, current value is 10",
  ],
  [
    "no number",
    () => checkInteger("test", "n", wrong(1n), 0),
    TypeError,
    "Cannot test: n must be a number, current value is 1n",
  ],
]);
