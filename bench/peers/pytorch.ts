/**
 * The models in PyTorch, in single-threaded Python processes that measure their own time.
 *
 * @module
 */
import { startProcess } from "../measure/process.ts";
import { taskSequence } from "../measure/subjects.ts";
import { type Case, inHostMemory, leavesOf } from "./case.ts";
import { heads, type OwnCase, type OwnModelName, ownModels } from "./own_models.ts";
import { type OpenPeer, type Peer, remotePeer } from "./peer.ts";
import { batchSize, checkedSteps, hyper, trainingBatch } from "./training_set_up.ts";

/** The Python that has PyTorch, if any. */
export const python = () => Deno.env.get("PYTHON") ?? "python3";

/** A token, eager and with `torch.compile`. */
export const pyTorch: readonly Peer[] = [decoder("PyTorch", false), decoder("PyTorch, compiled", true)];

/**
 * Training. RWKV's WKV is a loop over `key[:, t]`, as usually written, and over `key.unbind(1)`, which makes its
 * gradient cheaper; the compiled version uses the latter and compiles its step separately.
 */
export function pyTorchTrainers(model: Case["model"]): Peer[] {
  return [
    trainer("PyTorch", { unbind: false, compiled: false }),
    ...model === "rwkv" ? [trainer("PyTorch, unbind", { unbind: true, compiled: false })] : [],
    trainer("PyTorch, compiled", { unbind: true, compiled: true }),
  ];
}

/** Training of a model of one's own, eager. */
export function pyTorchOwnTrainers(model: OwnModelName): Peer<OwnCase>[] {
  return [
    ownTrainer("PyTorch", false),
    ...model.endsWith("RWKV") ? [ownTrainer("PyTorch, unbind", true)] : [],
  ];
}

function ownTrainer(name: string, unbind: boolean): Peer<OwnCase> {
  return {
    name,
    async open({ model }) {
      const { init, examples } = ownModels[model], batch = examples(batchSize);
      return await openPython("pytorch_own_peer.py", await inHostMemory(init()), {
        model,
        heads,
        x: batch.map((example) => "x" in example ? example.x : example.ids),
        y: batch.map((example) => "x" in example ? example.y : example.tags),
        hyper,
        checkedSteps,
        unbind,
      });
    },
  };
}

function decoder(name: string, compiled: boolean): Peer {
  return {
    name,
    open: (subject) => open("pytorch_peer.py", subject, { ids: taskSequence(subject.length), compiled }),
  };
}

function trainer(name: string, how: { readonly unbind: boolean; readonly compiled: boolean }): Peer {
  return {
    name,
    open: (subject) =>
      open("pytorch_training_peer.py", subject, {
        ids: trainingBatch(subject.length),
        hyper,
        checkedSteps,
        ...how,
      }),
  };
}

function open(script: string, subject: Case, options: object): Promise<OpenPeer> {
  return openPython(script, subject.weights, { ...describe(subject), ...options });
}

/** Starts a script of this folder and sends it a model: a line of JSON, then the weights as little-endian float32. */
export async function openPython(script: string, tree: unknown, options: object): Promise<OpenPeer> {
  const process = startProcess([python(), new URL(script, import.meta.url).pathname]);
  const leaves = leavesOf(tree);
  const weights = leaves.map(([name, { shape }]) => [name, shape]);
  const header = JSON.stringify({ ...options, weights }) + "\n";
  await process.send(new TextEncoder().encode(header));
  for (const [, { data }] of leaves) await process.send(new Uint8Array(data.buffer));
  return remotePeer(process);
}

function describe(subject: Case) {
  const { model, length } = subject;
  if (model !== "transformer") return { model, length };
  const { heads, rotaryBase } = subject.weights.blocks[0].attention;
  return { model, length, heads, rotaryBase };
}
