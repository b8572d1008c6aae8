import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  fits,
  isAnswered,
  isAsked,
  type Mailbox,
  openMailbox,
  putAnswer,
  putQuestion,
  takeQuestion,
} from "../../src/train/mailbox.ts";

/** `rows` sequences of one length, of whatever numbers; both at most 5. */
const batches = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })).chain(
  ([rows, length]) => {
    const sequence = fc.array(fc.double(), { minLength: length, maxLength: length });
    const sequences = fc.array(sequence, { minLength: rows, maxLength: rows });
    return fc.record({ inputs: sequences, targets: sequences });
  },
);

const largest = { inputs: Array(5).fill([1, 2, 3, 4, 5]), targets: Array(5).fill([2, 3, 4, 5, 6]) };
const open = (batch: Parameters<typeof openMailbox>[1]): Mailbox => openMailbox(new Float32Array(3), batch)!;

Deno.test("takeQuestion() gives the batch that was put in, after larger ones too, and numbers that are no ids", () => {
  const mailbox = open(largest);
  putQuestion(mailbox, 1, largest);
  fc.assert(fc.property(batches, (batch) => {
    putQuestion(mailbox, 2, batch);
    const { inputs, targets } = takeQuestion(mailbox);
    assertEquals(
      { inputs: inputs.map((x) => Array.from(x)), targets: targets.map((x) => Array.from(x)) },
      batch,
    );
  }));
});

Deno.test("fits() says whether a batch finds room", () => {
  const mailbox = open({ inputs: [[1, 2], [3, 4]], targets: [[2, 3], [4, 5]] });
  assert(fits(mailbox, { inputs: [[1, 2, 3, 4]], targets: [[2, 3, 4, 5]] }));
  assert(!fits(mailbox, { inputs: [[1, 2, 3, 4, 5]], targets: [[2, 3, 4, 5, 6]] }));
});

Deno.test("isAsked() and isAnswered() tell of the number they are asked for alone", () => {
  const mailbox = open(largest);
  assert(!isAsked(mailbox, 1) && !isAnswered(mailbox, 1));
  putQuestion(mailbox, 1, largest);
  assert(isAsked(mailbox, 1) && !isAsked(mailbox, 2) && !isAnswered(mailbox, 1));
  putAnswer(mailbox, 1, 0.5);
  assert(isAnswered(mailbox, 1) && !isAnswered(mailbox, 2));
  assertEquals(mailbox.loss[0], 0.5);
});

Deno.test("openMailbox() gives none where memory can't be shared", () => {
  const { SharedArrayBuffer } = globalThis;
  try {
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    assertEquals(openMailbox(new Float32Array(3), largest), undefined);
  } finally {
    Object.assign(globalThis, { SharedArrayBuffer });
  }
});
