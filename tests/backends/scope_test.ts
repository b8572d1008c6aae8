import { assertEquals, assertThrows } from "@std/assert";
import { add, type Backend, createReference, read, sigmoid, type Tensor, tensor } from "@seqmix/seqmix";
import { backends } from "../backends.ts";
import { assertSame, testOnAll, wrong } from "../helpers.ts";

/** A tensor of a hundred numbers. */
function make(backend: Backend, value = 1): Tensor {
  return tensor(new Float32Array(100).fill(value), [100], backend);
}

function bytesOf(backend: Backend): number {
  return backend.memory().bytes;
}

/** The bytes of one tensor of {@linkcode make}. */
function unitOf(backend: Backend): number {
  const before = bytesOf(backend);
  const t = make(backend);
  const unit = bytesOf(backend) - before;
  backend.free(t);
  return unit;
}

function assertFreed(backend: Backend, t: Tensor): void {
  const use = () => backend.scope(() => sigmoid(t));
  assertThrows(use, TypeError, `of shape [${t.shape.join(", ")}] on ${backend.name} was freed`);
}

testOnAll("scope() frees the tensors that its result does not contain", (backend) => {
  const unit = unitOf(backend);
  let dropped: Tensor | undefined;
  const kept = backend.scope(() => {
    const x = make(backend);
    dropped = sigmoid(x);
    return sigmoid(dropped);
  });
  assertEquals(bytesOf(backend), unit);
  assertFreed(backend, dropped!);
  sigmoid(kept);
});

testOnAll("scope() keeps tensors in nested objects and arrays of its result", async (backend) => {
  const unit = unitOf(backend);
  const twice = make(backend, 5);
  const result = backend.scope(() => {
    make(backend);
    const shared = make(backend, 3);
    return {
      heads: 4,
      name: "a",
      none: null,
      missing: undefined,
      layers: [{ key: make(backend, 1) }, [make(backend, 2), [shared, shared]], twice],
      bare: Object.assign(Object.create(null), { deep: { deeper: make(backend, 4) } }),
    };
  });
  assertEquals(bytesOf(backend), 5 * unit);
  const [first, [second, [third]], fifth] = result.layers as [{ key: Tensor }, [Tensor, [Tensor]], Tensor];
  const held = [first.key, second, third, result.bare.deep.deeper, fifth];
  for (const [i, t] of held.entries()) assertSame(await read(t), new Float32Array(100).fill(i + 1));
  assertEquals([result.heads, result.name, result.none, result.missing], [4, "a", null, undefined]);
});

testOnAll("scope() frees tensors in an object of a class, which is not a branch of a tree", (backend) => {
  class Box {
    constructor(readonly content: Tensor) {}
  }
  const box = backend.scope(() => new Box(make(backend)));
  assertFreed(backend, box.content);
  assertEquals(bytesOf(backend), 0);
});

testOnAll("scope() returns any result unchanged", (backend) => {
  for (const value of [undefined, null, 0, "text", NaN, Symbol.iterator, 1n]) {
    assertEquals(backend.scope(() => value), value);
  }
  const date = new Date(), list = [1, 2];
  assertEquals(backend.scope(() => date) === date, true);
  assertEquals(backend.scope(() => list) === list, true);
});

testOnAll("scope() passes the result of an inner scope to the outer one", (backend) => {
  const unit = unitOf(backend);
  let escaped: Tensor | undefined;
  const kept = backend.scope(() => {
    escaped = backend.scope(() => sigmoid(make(backend)));
    assertEquals(bytesOf(backend), unit);
    const inner = backend.scope(() => backend.scope(() => [sigmoid(escaped!)]));
    assertEquals(bytesOf(backend), 2 * unit);
    return inner;
  });
  assertEquals(bytesOf(backend), unit);
  assertFreed(backend, escaped!);
  sigmoid(kept[0]);
});

testOnAll("scope() does not free tensors that it did not create, returned or not", (backend) => {
  const outside = make(backend), other = make(backend);
  assertEquals(backend.scope(() => outside) === outside, true);
  assertEquals(backend.scope(() => backend.scope(() => [outside]))[0] === outside, true);
  add(outside, other);
});

testOnAll("scope() frees the results of inner scopes at the end of the outer one", (backend) => {
  let passed: Tensor | undefined;
  backend.scope(() => {
    const mine = make(backend);
    passed = backend.scope(() => mine);
    sigmoid(mine);
  });
  assertEquals(bytesOf(backend), 0);
  assertFreed(backend, passed!);
});

testOnAll("scope() frees everything if its body throws, and rethrows the error", (backend) => {
  const unit = unitOf(backend), outside = make(backend);
  const made: Tensor[] = [];
  const error = new Error("no");
  const thrown = assertThrows(() =>
    backend.scope(() => {
      made.push(make(backend));
      made.push(backend.scope(() => make(backend)));
      backend.scope(() => {
        made.push(make(backend));
        throw error;
      });
    })
  );
  assertEquals(thrown === error, true);
  assertEquals([made.length, bytesOf(backend)], [3, unit]);
  for (const t of made) assertFreed(backend, t);
  sigmoid(outside);
});

testOnAll("scope() continues after an inner one has thrown", (backend) => {
  const unit = unitOf(backend);
  const kept = backend.scope(() => {
    const before = make(backend);
    assertThrows(() =>
      backend.scope(() => {
        make(backend);
        throw new Error("no");
      })
    );
    return [before, make(backend)];
  });
  assertEquals(bytesOf(backend), 2 * unit);
  add(kept[0], kept[1]);
});

testOnAll("scope() refuses a body that returns a promise, and frees everything", async (backend) => {
  const made: Tensor[] = [];
  const bodies = [
    () => Promise.resolve(made.push(make(backend))),
    async () => await read(made[made.push(make(backend)) - 1]),
    () => ({ then: made.push(make(backend)) && (() => {}) }),
  ];
  for (const body of bodies) {
    let running: unknown;
    assertThrows(
      () => backend.scope(() => running = body()),
      TypeError,
      "Cannot end scope: body must return its result, current result is a promise",
    );
    if (running instanceof Promise) await running.catch(() => {});
  }
  assertEquals(made.length, 3);
  for (const t of made) assertFreed(backend, t);
  assertEquals(bytesOf(backend), 0);
});

testOnAll("scope() accepts tensors that its body has freed", (backend) => {
  const [gone] = backend.scope(() => {
    const t = make(backend);
    backend.free(t);
    return [t];
  });
  assertEquals(bytesOf(backend), 0);
  assertFreed(backend, gone);
});

testOnAll("scope() of another backend keeps no tensors of this one", (backend) => {
  using another = createReference();
  for (let i = 1; i <= 5; i++) {
    backend.scope(() => {
      const mine = make(backend);
      another.scope(() => [mine, make(another)]);
    });
    assertEquals([bytesOf(backend), bytesOf(another)], [0, i * 400]);
  }
});

testOnAll("free() frees all tensors of a tree, once", (backend) => {
  const unit = unitOf(backend);
  const keep = make(backend);
  const tree = { a: make(backend), list: [make(backend), { b: make(backend) }], heads: 2, none: null };
  assertEquals(bytesOf(backend), 4 * unit);
  backend.free(tree);
  assertEquals(bytesOf(backend), unit);
  backend.free(tree);
  backend.free([tree, tree.a]);
  assertEquals(bytesOf(backend), unit);
  for (const t of [tree.a, tree.list[0] as Tensor]) assertFreed(backend, t);
  sigmoid(keep);
});

testOnAll("free() accepts trees without tensors", (backend) => {
  for (const value of [undefined, null, 1, "text", {}, [], () => {}]) backend.free(value);
  assertEquals(bytesOf(backend), 0);
});

testOnAll("free() refuses the tensors of another backend", async (backend) => {
  for (const { create } of backends) {
    using another = await create();
    const t = make(another);
    const { bytes } = another.memory();
    assertThrows(
      () => backend.free({ t }),
      TypeError,
      `Cannot use tensor: it must live on this ${backend.name} backend, current value is a tensor of shape [100] ` +
        `of another ${another.name}`,
    );
    assertEquals(another.memory().bytes, bytes);
  }
  assertThrows(() => backend.free(wrong({ shape: [1], backend })), TypeError, "Cannot use tensor");
});
