import { assertEquals, AssertionError } from "@std/assert";
import {
  type AnyLanguageModel,
  channelMix,
  lstm,
  lstmModel,
  multiHeadAttention,
  read,
  rwkv,
  type Tensor,
  tensor,
  timeMix,
  transformer,
  wkv,
} from "@seqmix/seqmix";
import { backends } from "./backends.ts";
import { leavesOf, loadGoldens, mapNumbers, type Numbers, take } from "./fixtures/load.ts";

// Methods, so that functions with a layer's own types are assignable.
interface Subject {
  readonly name: string;
  readonly fixture: string;
  run(params: unknown, x: unknown, state: unknown): { y: Tensor; state: unknown };
}

const subjects: readonly Subject[] = [
  { name: "wkv()", fixture: "wkv", run: wkv },
  { name: "timeMix()", fixture: "time_mix", run: timeMix },
  { name: "channelMix()", fixture: "channel_mix", run: channelMix },
  { name: "multiHeadAttention()", fixture: "multi_head_attention", run: multiHeadAttention },
  { name: "lstm()", fixture: "lstm", run: lstm },
  { name: "rwkv.forward()", fixture: "rwkv", run: forward(rwkv) },
  { name: "transformer.forward()", fixture: "transformer", run: forward(transformer) },
  { name: "lstmModel.forward()", fixture: "lstm_model", run: forward(lstmModel) },
];

function forward(model: AnyLanguageModel): Subject["run"] {
  return (params, x, state) => {
    const ids = x as Tensor;
    const before = state ?? model.initialState(params, ids.shape[0]);
    const { logits, state: after } = model.forward(params, ids, before);
    return { y: logits, state: after };
  };
}

for (const { name: on, create } of backends) {
  for (const { name, fixture, run } of subjects) {
    for (const golden of loadGoldens(fixture)) {
      const title = [name, "equals PyTorch", golden.name, "on", on].filter(Boolean).join(" ");
      Deno.test(title, async (t) => {
        for (const steps of Object.keys(golden.states)) {
          for (let batch = 1; batch <= golden.y.shape[0]; batch++) {
            await t.step(`B ${batch}, T ${steps}`, async () => {
              using backend = await create();
              const put = (n: Numbers) => tensor(n.data, n.shape, backend);
              const { y, state } = run(
                mapNumbers(golden.params, put),
                mapNumbers(golden.x, (x) => put(take(x, batch, +steps))),
                mapNumbers(golden.state, (s) => put(take(s, batch))),
              );
              assertNear(await numbers(y), take(golden.y, batch, +steps), golden.tolerance, "y");
              for (const [path, want] of leavesOf(golden.states[steps])) {
                const got = await view(path, state, golden.params);
                assertNear(got, take(want, batch), golden.tolerance, path.join("."));
              }
            });
          }
        }
      });
    }
  }
}

async function numbers(x: Tensor): Promise<Numbers> {
  return { shape: x.shape, data: await read(x) };
}

/** The quantities of a state that the fixture stores, computed from the library's: see make_goldens.py. */
async function view(path: readonly string[], state: unknown, params: unknown): Promise<Numbers> {
  const [kind, ...holder] = path.toReversed();
  if (!["mean", "logWeight", "newest"].includes(kind)) return numbers(follow(state, path) as Tensor);
  const held = await numbers(follow(state, holder.toReversed()) as Tensor);
  return kind === "newest" ? newest(held) : wkvView(kind, held, decays(path, params));
}

function newest({ shape: [batch, time, channels], data }: Numbers): Numbers {
  const rows = new Float32Array(batch * channels);
  for (let b = 0; b < batch; b++) {
    const end = (b + 1) * time * channels;
    rows.set(data.subarray(end - channels, end), b * channels);
  }
  return { shape: [batch, 1, channels], data: rows };
}

function wkvView(
  kind: string,
  { shape: [batch, , channels], data }: Numbers,
  decay: readonly number[],
): Numbers {
  const values = Float32Array.from({ length: batch * channels }, (_, i) => {
    const channel = i % channels, first = (i - channel) * 4 + channel;
    const [a, b, q, n] = [0, 1, 2, 3].map((row) => data[first + row * channels]);
    return kind === "mean" ? a / b : Math.log(b) + q + n * decay[channel];
  });
  return { shape: [batch, channels], data: values };
}

/** The w of the WKV state at the path: wkv() takes it directly, time-mix the raw time_decay. */
function decays(path: readonly string[], params: unknown): number[] {
  const decay = [...(follow(params, [...path.slice(0, -2), "decay"]) as Numbers).data];
  return path.length === 1 ? decay : decay.map((raw) => -Math.exp(raw));
}

function follow(tree: unknown, path: readonly string[]): unknown {
  return path.reduce((branch, key) => (branch as Record<string, unknown>)[key], tree);
}

function assertNear(got: Numbers, want: Numbers, tolerance: number, what: string) {
  assertEquals(got.shape, want.shape, what);
  let error = 0, scale = 0;
  got.data.forEach((value, i) => {
    error = Math.max(error, Math.abs(value - want.data[i])); // NaN stays NaN
    scale = Math.max(scale, Math.abs(want.data[i]));
  });
  if (!(error <= tolerance * scale)) {
    throw new AssertionError(`${what}: error is ${error / scale} of its scale`);
  }
}
