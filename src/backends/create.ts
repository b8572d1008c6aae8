/**
 * The best backend that works here.
 *
 * @module
 */
import { show } from "../check.ts";
import { checkNames, type Names } from "../names.ts";
import type { Backend } from "../tensor.ts";
import { loadSelfCheck, loadWebGpu } from "./load.ts";
import { createReference } from "./reference/mod.ts";
import { createWasm } from "./wasm/mod.ts";
import { describeAdapter, isSoftware, requestAdapter } from "./webgpu/adapter.ts";

/** A backend by name. */
export type BackendName = "webgpu" | "wasm" | "reference";

/** Which backends are tried, and who hears of it. */
export interface CreateBackendOptions {
  /** In which order; default: webgpu, wasm, reference. */
  readonly prefer?: readonly BackendName[] | undefined;
  /** Hears a line for each backend that was tried: that it is taken, or why it is not. */
  readonly onDecision?: ((line: string) => void) | undefined;
}

const optionNames: Names<CreateBackendOptions> = { prefer: 0, onDecision: 0 };

/** A backend that may be taken, and what it runs on where that is not plain. */
interface Candidate {
  readonly backend: Backend;
  readonly device?: string | undefined;
}

/** How each is made, where others may stand behind it in the list. */
const makers: Readonly<Record<BackendName, (isLast: boolean) => Promise<Candidate> | Candidate>> = {
  async webgpu(isLast) {
    const adapter = await requestAdapter();
    const device = describeAdapter(adapter.info);
    if (isSoftware(adapter.info) && !isLast) {
      throw new Error(
        `Cannot prefer webgpu: its adapter must be a GPU, current adapter is software (${device})`,
      );
    }
    const { openAdapter } = await loadWebGpu();
    return { backend: await openAdapter(adapter), device };
  },
  wasm: async () => ({ backend: await createWasm() }),
  reference: () => ({ backend: createReference() }),
};

/**
 * The first of the preferred backends that exists here and that agrees with the reference in a check on the spot.
 * WebGPU on an adapter that computes on the CPU (llvmpipe, SwiftShader) is slower than WebAssembly, so it is taken only
 * where nothing stands behind it in the list: `prefer: ["webgpu"]` takes any adapter.
 *
 * @param options the order, and a function that hears why each was taken or not
 * @returns a backend of its own
 * @throws {TypeError} (as a rejection) on an unknown name, of a backend or an option, or an empty list
 * @throws {Error} (as a rejection) with all reasons, if none can be taken
 *
 * @example
 * ```ts
 * import { createBackend } from "@seqmix/seqmix";
 *
 * using backend = await createBackend({ onDecision: (line) => console.error(line) });
 * console.log(backend.name);
 * ```
 */
export async function createBackend(options: CreateBackendOptions = {}): Promise<Backend> {
  if (typeof options === "string") {
    throw new TypeError(
      `Cannot create backend: options must be an object ({ prefer: [${show(options)}] }), current value is ${
        show(options)
      }`,
    );
  }
  checkNames("create backend", options, optionNames);
  const { onDecision = () => {} } = options;
  const prefer = checkPreferences(options.prefer ?? ["webgpu", "wasm", "reference"]);
  const reasons: string[] = [];
  for (const [i, name] of prefer.entries()) {
    const made = await make(name, i === prefer.length - 1);
    if (typeof made === "string") {
      reasons.push(made);
      onDecision(made);
      continue;
    }
    const { backend, device } = made;
    try {
      onDecision(`${name} taken: it agrees with the reference${device === undefined ? "" : ` on ${device}`}`);
    } catch (error) {
      backend[Symbol.dispose]();
      throw error;
    }
    return backend;
  }
  throw new Error(`Cannot create backend: one must work, current reasons are: ${reasons.join("; ")}`);
}

/** A backend that passes the check, or the reason why there is none. */
async function make(name: BackendName, last: boolean): Promise<Candidate | string> {
  try {
    const made = await makers[name](last);
    try {
      const { selfCheck } = await loadSelfCheck();
      await selfCheck(made.backend);
      return made;
    } catch (error) {
      made.backend[Symbol.dispose]();
      throw error;
    }
  } catch (error) {
    return `${name} left out: ${error instanceof Error ? error.message : error}`;
  }
}

function checkPreferences(prefer: readonly BackendName[]): readonly BackendName[] {
  const isList = Array.isArray(prefer);
  if (isList && prefer.length > 0 && prefer.every((name) => Object.hasOwn(makers, name))) return prefer;
  const known = Object.keys(makers).join(", ");
  const current = isList ? `[${prefer.map(show).join(", ")}]` : show(prefer);
  throw new TypeError(
    `Cannot create backend: prefer must be a list of at least one of ${known}, current prefer is ${current}`,
  );
}
