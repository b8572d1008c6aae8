/**
 * Files that are no safetensors, by how they begin: what they are, and what to do instead.
 *
 * @module
 */
import { malformed } from "./malformed.ts";

const pyTorch = "save PyTorch's .pth or .pt as safetensors: safetensors.torch.save_file(state_dict, path)";
const ggml = "take the safetensors that it was made of";

/** The first characters, one a byte; what begins so; what to do. */
const kinds: readonly (readonly [start: RegExp, what: string, todo: string])[] = [
  [/^PK/, "a zip archive", pyTorch],
  // But not a safetensors file with 640 bytes of header that ends too soon.
  [/^\x80[^ -\xff].{6}[^{]/s, "a Python pickle", pyTorch],
  [/^(\xef\xbb\xbf)?\s*</, "an HTML or XML page", "download the file itself"],
  [/^version https:\/\/git-lfs/, "a git-lfs pointer", "fetch the file itself: git lfs pull"],
  [/^GGUF/, "a GGUF file", ggml],
  [/^(lmgg|fmgg|tjgg)/, "a GGML file", ggml],
  [/^\s*\{/, "JSON", "load the safetensors files that it is about"],
];

/** The error of a file that breaks a rule of the format at its beginning: of its kind, where that is known. */
export function notSafetensors(bytes: Uint8Array, requirement: string, current: string): TypeError {
  const start = String.fromCharCode(...bytes.subarray(0, 64));
  const kind = kinds.find(([pattern]) => pattern.test(start));
  if (kind === undefined) return malformed(requirement, current);
  return malformed(`a file must be safetensors (${kind[2]})`, `one is ${kind[1]}`);
}
