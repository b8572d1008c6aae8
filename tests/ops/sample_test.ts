import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  type Backend,
  createReference,
  multiply,
  read,
  sample,
  type SampleOptions,
  softmax,
  type Tensor,
  tensor,
  valueAndGrad,
} from "@seqmix/seqmix";
import { sample as kernel } from "../../src/ops/sample/reference.ts";
import { randomSource, seedOf32Bits } from "../../src/random.ts";
import { assertSame, normal, runKernel, testFailures, testOnAll, wrong } from "../helpers.ts";
import { sampleCases } from "./cases/sample.ts";
import { runOnAll } from "./run_on_all.ts";

runOnAll("sample()", sampleCases);

/** The same logits in many rows. */
function repeated(logits: readonly number[], rows: number, backend?: Backend): Tensor {
  return tensor(Array.from({ length: rows }, () => logits).flat(), [rows, logits.length], backend);
}

/** The ids that are drawn in many rows of these logits, in ascending order. */
async function support(
  logits: readonly number[],
  options: SampleOptions,
  backend: Backend,
): Promise<number[]> {
  const ids = await read(sample(repeated(logits, 1000, backend), options));
  return [...new Set(ids)].sort((a, b) => a - b);
}

const logs = (...probabilities: number[]) => probabilities.map(Math.log);

// Computed by this Python code, which is independent of the library; of equal logits, the largest hash wins:
//
//   def pcg4d(v):
//       v = [(a * 1664525 + 1013904223) % 2**32 for a in v]
//       def turn(v):
//           x, y, z, w = v
//           x = (x + y * w) % 2**32; y = (y + z * x) % 2**32
//           z = (z + x * y) % 2**32; w = (w + y * z) % 2**32
//           return [x, y, z, w]
//       return turn([a ^ (a >> 16) for a in turn(v)])
//   def draw(seed, step, row): # of 997 ids
//       return max(range(997), key=lambda i: (pcg4d([seed, step, row, i])[0] >> 9, -i))
const known: readonly (readonly [seed: number, step: number, ids: readonly number[]])[] = [
  [0, 0, [650, 969, 535, 306, 289]],
  [0, 1, [927, 752, 179, 363, 650]],
  [1, 0, [823, 949, 988, 653, 922]],
  [7, 12345, [35, 324, 646, 907, 226]],
  [2 ** 32 - 1, 2 ** 32 - 1, [61, 672, 876, 508, 791]],
  [2 ** 31, 5, [434, 14, 784, 112, 75]],
];

testOnAll("sample() draws with the hash pcg4d of seed, step, row and id", async (backend) => {
  const logits = tensor(new Float32Array(5 * 997), [5, 997], backend);
  for (const [seed, step, ids] of known) {
    assertSame(await read(sample(logits, { seed }, step)), ids, `seed ${seed}, step ${step}`);
  }
});

testOnAll("sample() accepts seeds of 53 bits, and uses those of 32 bits unchanged", async (backend) => {
  const logits = tensor(new Float32Array(5 * 997), [5, 997], backend);
  const draw = async (seed: number) => String(await read(sample(logits, { seed }, 3)));
  const large = [2 ** 32, 2 ** 32 + 7, 2 ** 33 + 7, 2 ** 40, 2 ** 53 - 2, 2 ** 53 - 1];
  // The lower words alone would make two of the seeds equal, and leave 7.
  assertEquals(new Set(await Promise.all([0, 7, ...large].map(draw))).size, 2 + large.length);
  for (const seed of large) assertEquals(await draw(seed), await draw(seedOf32Bits(seed)));
  for (const seed of [0, 1, 2 ** 31, 2 ** 32 - 1]) assertEquals(seedOf32Bits(seed), seed);
  // (seed mod 2³²) ^ fmix32(⌊seed / 2³²⌋), with fmix32(1) from MurmurHash3's source.
  assertEquals(seedOf32Bits(2 ** 32), 0x514e28b7);
});

testOnAll("sample() at temperature 0 takes the largest, of equal ones the first", async (backend) => {
  const logits = tensor([1, 3, 2, 3, 5, 5, 5, 5, -2, -1, -1, -9], [3, 4], backend);
  for (const seed of [0, 1]) {
    assertSame(await read(sample(logits, { temperature: 0, topK: 1, topP: 0.1, seed }, seed)), [1, 0, 1]);
  }
});

testOnAll("sample() draws with the probabilities of softmax", async (backend) => {
  const rows = 20_000, logits = [1, 0, -1, 2, -Infinity];
  for (const temperature of [0.7, 1, 2]) {
    const ids = await read(sample(repeated(logits, rows, backend), { temperature, seed: 5 }));
    const scaled = logits.map((logit) => logit / temperature);
    const probabilities = await read(softmax(tensor(scaled, [logits.length])));
    let chiSquare = 0;
    probabilities.slice(0, 4).forEach((p, id) => {
      const count = ids.filter((drawn) => drawn === id).length;
      chiSquare += (count - rows * p) ** 2 / (rows * p);
    });
    // With 3 degrees of freedom, 21.1 is exceeded by one in 10,000 seeds.
    assert(chiSquare < 21.1, `temperature ${temperature}: chi-square is ${chiSquare}`);
    assert(!ids.includes(4), "an id of probability 0");
  }
});

testOnAll(
  "sample() draws independently for each seed, step and row, and reproducibly",
  async (backend) => {
    const logits = repeated(new Array(1000).fill(0), 3, backend);
    const draw = async (seed: number, step: number) => [...await read(sample(logits, { seed }, step))];
    const first = await draw(1, 2);
    assertEquals(await draw(1, 2), first);
    assertNotEquals(await draw(2, 2), first, "another seed");
    assertNotEquals(await draw(1, 3), first, "another step");
    assertEquals(new Set(first).size, 3, "other rows");
    const alone = await read(sample(repeated(new Array(1000).fill(0), 1, backend), { seed: 1 }, 2));
    assertEquals(alone[0], first[0], "row 0, alone or not");
  },
);

testOnAll("sample() draws the same for a step in a tensor", async (backend) => {
  const logits = repeated(new Array(700).fill(0), 3, backend), short = repeated([1, 2, 3], 40, backend);
  for (const options of [{}, { topK: 500, seed: 9 }, { topP: 0.9 }, { temperature: 0 }]) {
    for (const step of [0, 1, 1000, 2 ** 24, 2 ** 31, 2 ** 32 - 256]) {
      const held = tensor([step], [], backend);
      for (const x of [logits, short]) {
        const [ids, expected] = [sample(x, options, held), sample(x, options, step)];
        assertSame(await read(ids), await read(expected), `${Deno.inspect(options)} in step ${step}`);
      }
      assertSame(await read(held), [step]);
    }
  }
});

testOnAll("sample() accepts steps of a recording, which have no gradient", async (backend) => {
  const logits = tensor([1, 2, 3], [1, 3], backend), step = tensor([5], [], backend);
  const { value, grads, aux } = valueAndGrad(({ logits, step }) => {
    const drawn = [sample(logits, {}, step), sample(logits, {}, 5)];
    return [multiply(step, step), drawn] as const;
  }, { logits, step });
  assertSame(await read(value), [25]);
  assertSame(await read(grads.step), [10]);
  assertSame(await read(grads.logits), [0, 0, 0]);
  assertSame(await read(aux[0]), await read(aux[1]));
});

testOnAll(
  "sample() with topK draws the k most probable, and those that tie with the last",
  async (backend) => {
    const logits = [0, 2, 1, 2, 1, -1];
    assertEquals(await support(logits, { topK: 2 }, backend), [1, 3]);
    assertEquals(await support(logits, { topK: 3 }, backend), [1, 2, 3, 4]);
    assertEquals(await support(logits, { topK: 5 }, backend), [0, 1, 2, 3, 4]);
    for (const topK of [0, 6, 100]) {
      assertEquals(await support(logits, { topK }, backend), [
        0,
        1,
        2,
        3,
        4,
        5,
      ]);
    }
  },
);

testOnAll("sample() with topK 1 takes the largest, of equal ones the first", async (backend) => {
  assertEquals(await support([0, 2, 1, 2, 1, -1], { topK: 1 }, backend), [1]);
  assertEquals(await support([-2, -2], { topK: 1, topP: 0.5, temperature: 9 }, backend), [0]);
});

testOnAll("sample() takes the largest at a temperature near 0, for any logits", async (backend) => {
  for (const temperature of [1e-310, 1e-45, 1e-38]) {
    for (const scale of [1e-20, 1, 1e30]) {
      const logits = [1, 3, 2, -1].map((logit) => scale * logit);
      assertEquals(await support(logits, { temperature }, backend), [1], `${temperature}, ${scale}`);
      assertEquals(await support(logits, { temperature, topK: 3, topP: 1e-310 }, backend), [1]);
    }
  }
});

testOnAll("sample() draws uniformly at a temperature far above the logits", async (backend) => {
  for (const temperature of [1e38, 1e300]) {
    assertEquals(await support([1, 3, 2, -1], { temperature }, backend), [0, 1, 2, 3]);
  }
});

testOnAll("sample() prefers an infinite logit to all others, and never draws -Infinity", async (backend) => {
  for (const options of [{}, { temperature: 0 }, { topK: 2 }, { topP: 0.1 }, { temperature: 1e-310 }]) {
    const name = Deno.inspect(options);
    assertEquals(await support([1, Infinity, 2, Infinity], options, backend), [1], name);
    assertEquals(await support([-Infinity, -Infinity, -1e30], options, backend), [2], name);
    assertEquals(await support([-Infinity, -Infinity], options, backend), [0], name);
  }
});

testOnAll(
  "sample() with topP draws the fewest that reach the probability, and those that tie with the last",
  async (backend) => {
    const logits = logs(0.1, 0.4, 0.2, 0.3);
    assertEquals(await support(logits, { topP: 0.01 }, backend), [1]);
    assertEquals(await support(logits, { topP: 0.39 }, backend), [1]);
    assertEquals(await support(logits, { topP: 0.41 }, backend), [1, 3]);
    assertEquals(await support(logits, { topP: 0.69 }, backend), [1, 3]);
    assertEquals(await support(logits, { topP: 0.71 }, backend), [1, 2, 3]);
    assertEquals(await support(logits, { topP: 0.91 }, backend), [0, 1, 2, 3]);
    assertEquals(await support([0, 0, 0, 0], { topP: 0.3 }, backend), [0, 1, 2, 3], "ties");
    assertEquals(
      await support(logits, { topP: 0.5, temperature: 0.5 }, backend),
      [1],
      "shares at the temperature",
    );
    assertEquals(await support(logits, { topP: 0.55, topK: 2 }, backend), [1], "shares of what top-k kept");
  },
);

testOnAll("sample() returns NaN for a row with a NaN, with any options", async (backend) => {
  const logits = tensor([9, 1, NaN, 0, 1, 2], [2, 3], backend);
  for (const options of [{ temperature: 0 }, {}, { topK: 1 }, { topP: 0.1 }]) {
    const [broken, whole] = await read(sample(logits, options));
    assert(Number.isNaN(broken) && whole >= 0 && whole <= 2, Deno.inspect(options));
  }
});

Deno.test("the sample kernel writes its output and nothing else", () => {
  const logits = normal(randomSource(1), [3, 5]).data;
  for (const [temperature, topK, topP] of [[0, 0, 1], [1, 0, 1], [0.5, 3, 0.9]]) {
    const [ids] = runKernel(kernel, [3], [logits, null], [3, 5, temperature, topK, topP, 1, 12]);
    const step = Float32Array.of(10);
    assertSame(ids, runKernel(kernel, [3], [logits, step], [3, 5, temperature, topK, topP, 1, 2])[0]);
    assert(ids.every((id) => Number.isInteger(id) && id >= 0 && id < 5));
  }
});

const logits = tensor([1, 2, 3], [1, 3]);
const words = {
  temperature: "Cannot sample: temperature must be finite and at least 0, current temperature is",
  topK: "Cannot sample: topK must be an integer at least 0, current value is",
  topP: "Cannot sample: topP must be above 0 and at most 1, current topP is",
  seed: "Cannot sample: seed must be an integer at least 0, current value is",
};
const outOfRange: readonly (readonly [keyof typeof words, number])[] = [
  ...[-0.1, NaN, Infinity].map((value) => ["temperature", value] as const),
  ...[-1, 1.5, NaN, Infinity].map((value) => ["topK", value] as const),
  ...[0, -0.5, 1.001, NaN].map((value) => ["topP", value] as const),
  ...[-1, 0.5, NaN].map((value) => ["seed", value] as const),
];

testFailures("sample()", [
  [
    "seed 2⁵³",
    () => sample(tensor([1], [1]), { seed: 2 ** 53 }),
    RangeError,
    "Cannot sample: seed must be an integer from 0 to 2⁵³ - 1, current value is 9007199254740992",
  ],
  [
    "logits not a tensor",
    () => sample(wrong([1, 2])),
    TypeError,
    "Cannot sample: logits must be a tensor [..., V], current value is an array of length 2",
  ],
  [
    "logits without an axis",
    () => sample(tensor([1], [])),
    TypeError,
    "Cannot sample: logits must be [..., V], current shape is []",
  ],
  [
    "no token",
    () => sample(tensor([], [2, 0])),
    RangeError,
    "Cannot sample: V must be at least 1, current V is 0",
  ],
  ...outOfRange.map(([option, value]) =>
    [
      `${option} ${value}`,
      () => sample(logits, { [option]: value }),
      RangeError,
      `${words[option]} ${value}`,
    ] as const
  ),
  [
    "temperature no number",
    () => sample(logits, { temperature: wrong("hot") }),
    TypeError,
    'Cannot sample: temperature and topP must be numbers, current values are "hot" and 1',
  ],
  [
    "topK no number",
    () => sample(logits, { topK: wrong("3") }),
    TypeError,
    'Cannot sample: topK must be a number, current value is "3"',
  ],
  [
    "step neither a number nor a tensor",
    () => sample(logits, {}, wrong("3")),
    TypeError,
    'Cannot sample: step must be a number, current value is "3"',
  ],
  [
    "step not a single number",
    () => sample(logits, {}, tensor([1], [1])),
    TypeError,
    "Cannot sample: step must be [], current shape is [1]",
  ],
  [
    "step on another backend",
    () => sample(logits, {}, tensor([1], [], createReference())),
    TypeError,
    "Cannot sample: all tensors must live on one backend (move them with put), current logits lives on reference " +
    "and step on another reference",
  ],
  ...[-1, NaN, 2 ** 32].map((step) =>
    [
      `step ${step}`,
      () => sample(logits, {}, step),
      RangeError,
      `Cannot sample: step must be an integer from 0 to 4294967295, current value is ${step}`,
    ] as const
  ),
]);
