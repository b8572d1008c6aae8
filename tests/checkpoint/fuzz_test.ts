import { assert, assertEquals } from "@std/assert";
import { createReference, type Floats, loadTree, saveTree, tensor } from "@seqmix/seqmix";
import fc from "fast-check";
import { describe, fileOf, fixture, headerOf } from "./files.ts";

const keys = fc.oneof(
  fc.constantFrom(
    "a",
    "b",
    "0",
    "1",
    "a.b",
    "",
    ".",
    "__proto__",
    "constructor",
    "$tensor",
    "$value",
    "$$",
    "__metadata__",
  ),
  fc.string({ unit: "binary", maxLength: 4 }),
  fc.string({
    unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
    maxLength: 2,
  }),
);

const tensors = fc.array(fc.nat(3), { maxLength: 3 }).chain((shape) => {
  const size = shape.reduce((product, axis) => product * axis, 1);
  return fc.array(fc.float(), { minLength: size, maxLength: size }).map((data) => tensor(data, shape));
});

const leaves = fc.oneof(
  tensors,
  fc.double(),
  fc.integer(),
  keys,
  fc.constantFrom(true, false, null, undefined, -0, NaN),
);

const trees = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaves,
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.array(fc.tuple(keys, tie("tree")), { maxLength: 4 }).map(Object.fromEntries),
  ),
})).tree;

Deno.test("loadTree() restores any tree that saveTree() wrote", () => {
  fc.assert(
    fc.property(
      trees,
      fc.dictionary(keys.map((key) => key.toWellFormed()), fc.string()),
      (tree, metadata) => {
        const bytes = saveTree(tree, metadata);
        const loaded = loadTree(bytes);
        assertEquals(describe(loaded.tree), describe(tree));
        assertEquals(describe(loaded.metadata), describe(metadata));
        assertEquals(saveTree(loaded.tree, loaded.metadata), bytes);
      },
    ),
    { numRuns: 500 },
  );
});

/**
 * Loads any file, and asserts that either it is refused with a message and nothing allocated, or it is loaded into
 * little more memory than its own size and can be saved again.
 *
 * @returns whether it was loaded
 */
function survives(bytes: Uint8Array): boolean {
  using backend = createReference();
  const before = bytes.slice();
  const { allocated, result, error } = countAllocations(() => loadTree(bytes, backend).tree);
  assertEquals(bytes, before, "the file is as it was");
  if (error !== undefined) {
    if (!(error instanceof TypeError)) throw error;
    assert(/^Cannot load tree: .+, current .+$/s.test(error.message), error.message);
    assert(error.message.length < 400, error.message);
    assertEquals(allocated, 0);
    assertEquals(backend.memory(), { bytes: 0, peakBytes: 0 });
    return false;
  }
  // F16 takes 2 bytes per number in the file, and 2 + 4 + 4 until it is a tensor.
  assert(allocated <= 5 * bytes.length, `${allocated} bytes allocated for ${bytes.length}`);
  assertEquals(describe(loadTree(saveTree(result)).tree), describe(result));
  return true;
}

/** Counts the bytes of all buffers that a function creates, as far as their constructors can be intercepted. */
function countAllocations(body: () => unknown): { allocated: number; result?: unknown; error?: unknown } {
  const scope = globalThis as unknown as Record<string, new (...args: unknown[]) => ArrayBufferLike | Floats>;
  const names = ["ArrayBuffer", "Uint8Array", "Uint16Array", "Uint32Array", "Float32Array", "Float64Array"];
  const originals = names.map((name) => scope[name]);
  const [Buffer] = originals;
  let allocated = 0;
  names.forEach((name, i) => {
    scope[name] = new Proxy(originals[i], {
      construct(target, args, newTarget) {
        const made = Reflect.construct(target, args, newTarget);
        if (!(args[0] instanceof Buffer)) allocated += made.byteLength;
        return made;
      },
    });
  });
  try {
    return { result: body(), allocated };
  } catch (error) {
    return { error, allocated };
  } finally {
    names.forEach((name, i) => scope[name] = originals[i]);
  }
}

/** Runs `survives` on many files, and asserts that some are accepted and some refused. */
function fuzz(files: fc.Arbitrary<Uint8Array>, numRuns: number): void {
  let loaded = 0, all = 0;
  fc.assert(
    fc.property(files, (bytes) => {
      all++;
      if (survives(bytes)) loaded++;
    }),
    { numRuns },
  );
  assert(loaded >= all / 50 && loaded <= all * 49 / 50, `${loaded} of ${all} were loaded`);
}

const originals = [
  fixture("saved"),
  fixture("dtypes"),
  saveTree({ $a: [1, NaN, { b: tensor([1], [1]) }], "__proto__": tensor([], [0]) }),
  fileOf(
    '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b.0":{"dtype":"BF16","shape":[],"data_offsets":[4,6]}}',
    [1, 2, 3, 4, 5, 6],
  ),
];

Deno.test("loadTree() survives files with bytes changed, removed and inserted", () => {
  const edits = fc.array(
    fc.record({
      at: fc.nat(2000),
      kind: fc.constantFrom("change", "change", "remove", "insert", "cut"),
      // Mostly parts of a valid header.
      byte: fc.oneof(fc.constantFrom(...new TextEncoder().encode('{}[]:,"\\09.-eE$ aF')), fc.nat(255)),
    }),
    { minLength: 1, maxLength: 3 },
  );
  const files = fc.tuple(fc.constantFrom(...originals), edits, fc.boolean()).map(
    ([original, list, honest]) => {
      const bytes = Array.from(original);
      for (const { at, kind, byte } of list) {
        const place = at % (bytes.length + 1);
        if (kind === "cut") bytes.length = place;
        else bytes.splice(place, kind === "insert" ? 0 : 1, ...(kind === "remove" ? [] : [byte]));
      }
      const file = new Uint8Array(bytes);
      // Corrects the length of the header, so that what follows it is tested as well.
      if (honest && file.length >= 8) {
        const data = original.length - 8 - headerOf(original).length;
        new DataView(file.buffer).setBigUint64(0, BigInt(Math.max(0, file.length - 8 - data)), true);
      }
      return file;
    },
  );
  fuzz(files, 3000);
});

Deno.test("loadTree() survives invalid headers", () => {
  const count = fc.oneof(fc.nat(12), fc.constantFrom(-1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e308, "1", null));
  const name = fc.oneof(
    fc.constantFrom("a", "b", "a.b", "a.0", "a.1", "__proto__", "x.backend", "x.shape.0"),
    keys,
  );
  const honest = fc.record({
    name,
    dtype: fc.constantFrom("F64", "F32", "F16", "BF16"),
    shape: fc.array(fc.nat(3), { maxLength: 3 }),
  });
  const lie = fc.record({
    entry: fc.nat(3),
    field: fc.constantFrom("name", "dtype", "shape", "data_offsets", "all"),
    value: fc.oneof(
      fc.array(count, { maxLength: 4 }),
      name,
      fc.constantFrom("I64", "F8_E4M3"),
      fc.jsonValue(),
    ),
  });
  const sizes: Record<string, number> = { F64: 8, F32: 4, F16: 2, BF16: 2 };
  const files = fc.tuple(fc.array(honest, { maxLength: 4 }), fc.array(lie, { maxLength: 2 })).map(
    ([list, lies]) => {
      let end = 0;
      const entries: [name: string, entry: unknown][] = list.map(({ name, dtype, shape }) => {
        const begin = end;
        end += shape.reduce((product, axis) => product * axis, sizes[dtype]);
        return [name, { dtype, shape, data_offsets: [begin, end] }];
      });
      for (const { entry, field, value } of lies) {
        if (entry >= entries.length) continue;
        if (field === "name") entries[entry][0] = typeof value === "string" ? value : JSON.stringify(value);
        else if (field === "all") entries[entry][1] = value;
        else if (typeof entries[entry][1] === "object") {
          entries[entry][1] = { ...entries[entry][1], [field]: value };
        }
      }
      // Written by hand, since an object can't have the same name twice.
      const header = entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`)
        .join();
      return fileOf(`{${header}}`, Array.from({ length: end }, (_, i) => i * 37));
    },
  );
  fuzz(files, 3000);
});

Deno.test("loadTree() survives invalid forms of trees", () => {
  const places = fc.constantFrom<unknown>(
    ...["a", "b", "c", "__proto__", 1].map((name) => ({ $tensor: name })),
    ...["NaN", "-0", "x", null].map((word) => ({ $value: word })),
    { backend: {}, shape: [] },
    { $tensor: "a", x: 1 },
    { $: 1 },
  );
  const form = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      places,
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.array(fc.tuple(keys, tie("tree")), { maxLength: 3 }).map(Object.fromEntries),
    ),
  })).tree;
  const files = fc.tuple(form, fc.integer({ min: 0, max: 2 }), fc.constantFrom(1, 1, 1, 1, 1, 2)).map(
    ([tree, count, version]) => {
      const text = JSON.stringify({ version, tree });
      const entries = ["a", "b"].slice(0, count).map((name, i) =>
        [name, { dtype: "F32", shape: [1], data_offsets: [4 * i, 4 * i + 4] }] as const
      );
      const header = { __metadata__: { "seqmix.tree": text }, ...Object.fromEntries(entries) };
      return fileOf(header, new Uint8Array(4 * count));
    },
  );
  fuzz(files, 3000);
});

Deno.test("loadTree() takes little time for large headers", () => {
  const many = (n: number, entry: (i: number) => string) =>
    Array.from({ length: n }, (_, i) => entry(i)).join();
  const empty = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}';
  const headers = [
    `{${many(2e4, (i) => `"${i}":${empty}`)}}`,
    `{${many(2e4, (i) => `"a.${i}.b":${empty}`)}}`,
    `{${many(1e4, (i) => `"${"a.".repeat(31)}${i}":${empty}`)}}`,
    `{"a":{"dtype":"F32","shape":[${many(5e5, () => "1")}],"data_offsets":[0,4]}}`,
    `{"a":"${"\\\\".repeat(1e6)}"}`,
    `{"a":${"{".repeat(1e6)}`,
    `{"${"a".repeat(2e6)}":1}`,
    `{${'"a"'.repeat(5e5)}}`,
    `{"a"${" ".repeat(2e6)}}`,
    `{"a" ${'"" '.repeat(5e5)}}`,
  ];
  for (const header of headers) {
    const start = performance.now();
    survives(fileOf(header));
    // Several times what a busy machine takes.
    assert(performance.now() - start < 60_000, header.slice(0, 40));
  }
});
