import { assertEquals } from "@std/assert";
import {
  concat,
  createReference,
  read,
  reshape,
  reverse,
  slice,
  type Tensor,
  tensor,
  transpose,
} from "@seqmix/seqmix";
import fc from "fast-check";
import { copyStrided } from "../../src/ops/axes/reference.ts";
import { assertSame, list, runKernel, testFailures, testOnAll, wrong } from "../helpers.ts";
import {
  concatCases,
  expandCases,
  reshapeCases,
  reverseCases,
  sliceCases,
  transposeCases,
} from "./cases/axes.ts";
import { elementAt, type Plain, plain, shapes, tensorsOf } from "./plain.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("reshape()", reshapeCases);
runOnAll("transpose()", transposeCases);
runOnAll("slice()", sliceCases);
runOnAll("reverse()", reverseCases);
runOnAll("expand()", expandCases);
runOnAll("concat()", concatCases);

/** A call, and what plain loops give. */
interface Call {
  readonly inputs: readonly Plain[];
  run(tensors: readonly Tensor[]): Tensor;
  readonly wanted: Plain;
}

const transposes = shapes(0, 5).chain((shape) =>
  fc.tuple(
    tensorsOf(shape),
    fc.shuffledSubarray([...shape.keys()], { minLength: shape.length, maxLength: shape.length }),
  )
).map(([x, axes]): Call => ({
  inputs: [x],
  run: ([t]) => transpose(t, axes),
  wanted: plain(
    axes.map((axis) => x.shape[axis]),
    (index) => elementAt(x, axes.map((_, axis) => index[axes.indexOf(axis)])),
  ),
}));

const onAxis = shapes(1, 4).chain((shape) => fc.tuple(tensorsOf(shape), fc.nat(shape.length - 1)));

const reverses = onAxis.map(([x, axis]): Call => ({
  inputs: [x],
  run: ([t]) => reverse(t, axis - x.shape.length),
  wanted: plain(x.shape, (index) => elementAt(x, index.with(axis, x.shape[axis] - 1 - index[axis]))),
}));

const slices = onAxis.chain(([x, axis]) =>
  fc.tuple(fc.constant(x), fc.constant(axis), fc.nat(x.shape[axis]), fc.nat(x.shape[axis]))
).map(([x, axis, one, other]): Call => {
  const start = Math.min(one, other), end = Math.max(one, other), size = x.shape[axis];
  return {
    inputs: [x],
    run: ([t]) => slice(t, axis, start < size ? start - size : start, end),
    wanted: plain(
      x.shape.with(axis, end - start),
      (index) => elementAt(x, index.with(axis, index[axis] + start)),
    ),
  };
});

const concats = onAxis.chain(([x, axis]) =>
  fc.tuple(
    fc.constant(axis),
    fc.array(fc.nat(3), { maxLength: 3 }).chain((sizes) =>
      fc.tuple(fc.constant(x), ...sizes.map((size) => tensorsOf(x.shape.with(axis, size))))
    ),
  )
).map(([axis, inputs]): Call => {
  const places = inputs.flatMap((x) => Array.from({ length: x.shape[axis] }, (_, i) => ({ x, i })));
  return {
    inputs,
    run: (xs) => concat(xs, axis),
    wanted: plain(inputs[0].shape.with(axis, places.length), (index) => {
      const { x, i } = places[index[axis]];
      return elementAt(x, index.with(axis, i));
    }),
  };
});

testOnAll("transpose(), reverse(), slice() and concat() are plain loops", async (backend) => {
  const property = fc.asyncProperty(
    fc.oneof(transposes, reverses, slices, concats),
    async ({ inputs, run, wanted }) => {
      const given = inputs.map(({ data, shape }) => tensor(data, shape, backend)), y = run(given);
      assertEquals(y.shape, wanted.shape);
      assertSame(await read(y), wanted.data);
      backend.free([given, y]);
    },
  );
  await fc.assert(property, { numRuns: 120, seed: 1 });
});

testOnAll("moved numbers keep their bits", async (backend) => {
  const x = tensor([-0, Infinity, 1e-40, 3], [2, 2], backend);
  const wanted = Array.from(await read(x));
  assertSame(await read(reshape(x, [4])), wanted);
  assertSame(await read(transpose(transpose(x, [1, 0]), [1, 0])), wanted);
  assertSame(await read(reverse(reverse(x, 0), 0)), wanted);
  assertSame(await read(concat([slice(x, 0, 0, 1), slice(x, 0, 1)], 0)), wanted);
});

Deno.test("the copyStrided kernel writes its output and nothing else", () => {
  const x = list([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]).data;
  const [y] = runKernel(
    (y: Float32Array, x: Float32Array) => copyStrided(y, 0, x, 2, 1, 1, 1, 2, 3, 2, 0, 0, 0, 6, -1, 3),
    [12],
    [x],
    [],
  );
  assertSame(y, [2, 5, 1, 4, 0, 3, 8, 11, 7, 10, 6, 9]);
});

const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]), one = tensor([1], []);
const elsewhere = createReference(), moved = tensor([1, 2, 3], [1, 3], elsewhere);
const freed = tensor([1, 2], [2, 1]);
freed.backend.free(freed);
const dead = (action: string) =>
  `Cannot ${action}: tensor must be alive, current tensor of shape [2, 1] on reference was freed`;

testFailures("reshape()", [
  [
    "not a tensor",
    () => reshape(wrong(3), [3]),
    TypeError,
    "Cannot reshape: x must be a tensor [...], current value is 3",
  ],
  [
    "not a list",
    () => reshape(x, wrong(6)),
    TypeError,
    "Cannot reshape: shape must be a list of sizes, current value is 6",
  ],
  [
    "size",
    () => reshape(x, [4, 2]),
    TypeError,
    "Cannot reshape: shape must hold the 6 numbers of x, current shape is [4, 2]",
  ],
  [
    "rest",
    () => reshape(x, [4, -1]),
    TypeError,
    "Cannot reshape: shape must hold the 6 numbers of x, current shape is [4, -1]",
  ],
  [
    "rest beside nothing",
    () => reshape(tensor([], [0]), [0, -1]),
    TypeError,
    "Cannot reshape: shape must hold the 0 numbers of x, current shape is [0, -1]",
  ],
  [
    "two rests",
    () => reshape(x, [-1, 2, -1]),
    TypeError,
    "Cannot reshape: shape must have at most one -1, current shape is [-1, 2, -1]",
  ],
  [
    "no size",
    () => reshape(x, [2, 3.5]),
    RangeError,
    "Cannot reshape: shape[1] must be an integer at least -1, current value is 3.5",
  ],
  ["freed", () => reshape(freed, [2]), TypeError, dead("reshape")],
]);

testFailures("transpose()", [
  [
    "a symbol as axis",
    () => transpose(x, [wrong(Symbol("a")), 0]),
    TypeError,
    "Cannot transpose: axes must be a permutation of [0, 1], current axes are [Symbol(a), 0]",
  ],
  [
    "not a tensor",
    () => transpose(wrong(undefined), [0]),
    TypeError,
    "Cannot transpose: x must be a tensor [...], current value is undefined",
  ],
  ...([[0], [0, 0], [0, 2], [0, 0.5], [0, 1, -1]] as const).map((axes) =>
    [
      `${axes}`,
      () => transpose(x, axes),
      TypeError,
      `Cannot transpose: axes must be a permutation of [0, 1], current axes are [${axes.join(", ")}]`,
    ] as const
  ),
  [
    "no list",
    () => transpose(x, wrong(undefined)),
    TypeError,
    "Cannot transpose: axes must be a permutation of [0, 1], current value is undefined",
  ],
  ["freed", () => transpose(freed, [1, 0]), TypeError, dead("transpose")],
]);

testFailures("slice()", [
  [
    "not a tensor",
    () => slice(wrong([]), 0, 0),
    TypeError,
    "Cannot slice: x must be a tensor [...], current value is an array of length 0",
  ],
  ["no axis", () => slice(one, 0, 0), TypeError, "Cannot slice: x must be [..., N], current shape is []"],
  [
    "axis",
    () => slice(x, -3, 0),
    RangeError,
    "Cannot slice: axis must be an integer from -2 to 1, current value is -3",
  ],
  [
    "start",
    () => slice(x, 1, 4),
    RangeError,
    "Cannot slice: start must be an integer from -3 to 3, current value is 4",
  ],
  [
    "end",
    () => slice(x, 1, 0, -4),
    RangeError,
    "Cannot slice: end must be an integer from -3 to 3, current value is -4",
  ],
  [
    "order",
    () => slice(x, 1, 2, -2),
    RangeError,
    "Cannot slice: end must be at least start, 2, current end is 1",
  ],
  [
    "no start",
    () => slice(x, 1, wrong(undefined)),
    TypeError,
    "Cannot slice: start must be a number, current value is undefined",
  ],
  ["freed", () => slice(freed, 0, 0), TypeError, dead("slice")],
]);

testFailures("reverse()", [
  [
    "not a tensor",
    () => reverse(wrong("x"), 0),
    TypeError,
    'Cannot reverse: x must be a tensor [...], current value is "x"',
  ],
  ["no axis", () => reverse(one, 0), TypeError, "Cannot reverse: x must be [..., N], current shape is []"],
  [
    "axis",
    () => reverse(x, 2),
    RangeError,
    "Cannot reverse: axis must be an integer from -2 to 1, current value is 2",
  ],
  ["freed", () => reverse(freed, 0), TypeError, dead("reverse")],
]);

testFailures("concat()", [
  [
    "no list",
    () => concat(wrong(x), 0),
    TypeError,
    "Cannot concatenate: xs must be at least one tensor, current value is a tensor of shape [2, 3]",
  ],
  [
    "empty",
    () => concat([], 0),
    TypeError,
    "Cannot concatenate: xs must be at least one tensor, current value is an array of length 0",
  ],
  [
    "not a tensor",
    () => concat([x, wrong(3)], 0),
    TypeError,
    "Cannot concatenate: xs[1] must be a tensor [...], current value is 3",
  ],
  [
    "shapes",
    () => concat([x, tensor([1, 2], [1, 2])], 0),
    TypeError,
    "Cannot concatenate: xs[1] must be [N, 3], current shape is [1, 2]",
  ],
  [
    "rank",
    () => concat([x, tensor([1, 2], [2])], 1),
    TypeError,
    "Cannot concatenate: xs[1] must be [2, N], current shape is [2]",
  ],
  [
    "no axis",
    () => concat([one], 0),
    TypeError,
    "Cannot concatenate: xs[0] must be [..., N], current shape is []",
  ],
  [
    "axis",
    () => concat([x], 2),
    RangeError,
    "Cannot concatenate: axis must be an integer from -2 to 1, current value is 2",
  ],
  [
    "backends",
    () => concat([x, moved], 0),
    TypeError,
    "Cannot concatenate: all tensors must live on one backend (move them with put), current xs[0] lives on reference " +
    "and xs[1] on another reference",
  ],
  ["freed", () => concat([freed], 0), TypeError, dead("concatenate")],
]);
