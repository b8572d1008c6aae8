/**
 * Chooses the best backend that works in this runtime.
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

/** The name of a backend. */
export type BackendName = "webgpu" | "wasm" | "reference";

/** Options of {@linkcode createBackend}. */
export interface CreateBackendOptions {
  /** The backends to try, in this order; default: webgpu, wasm, reference. */
  readonly prefer?: readonly BackendName[] | undefined;
  /** Called with a line of text for each backend that was tried: that it is used, or why not. */
  readonly onDecision?: ((line: string) => void) | undefined;
}

const optionNames: Names<CreateBackendOptions> = { prefer: 0, onDecision: 0 };

/** A backend, and what it runs on if that is not obvious. */
interface Candidate {
  readonly backend: Backend;
  readonly device?: string | undefined;
}

/** Creates each backend; `isLast` tells whether no others follow in the list. */
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
 * Creates the first of the preferred backends that is available and that agrees with the reference in a quick check.
 * WebGPU on an adapter that computes on the CPU (llvmpipe, SwiftShader) is slower than WebAssembly, so it is only
 * used at the end of the list: `prefer: ["webgpu"]` accepts any adapter.
 *
 * @param options the order, and a function that is told why each backend was used or not
 * @returns a new backend
 * @throws {TypeError} (as a rejection) on an unknown name of a backend or an option, or an empty list
 * @throws {Error} (as a rejection) with all reasons, if none works
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

/** A backend that passes the check, or the reason why it can't be used. */
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
