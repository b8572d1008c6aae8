/**
 * Recognises files in other formats by their first bytes, to tell what they are and what to do.
 *
 * @module
 */
import { malformed } from "./malformed.ts";

const pyTorch = "save PyTorch's .pth or .pt as safetensors: safetensors.torch.save_file(state_dict, path)";
const ggml = "take the safetensors that it was made of";

/** The first bytes, each as a character; the name of the format; what to do. */
const kinds: readonly (readonly [start: RegExp, what: string, todo: string])[] = [
  [/^PK/, "a zip archive", pyTorch],
  // Excludes a truncated safetensors file with a header of 640 bytes.
  [/^\x80[^ -\xff].{6}[^{]/s, "a Python pickle", pyTorch],
  [/^(\xef\xbb\xbf)?\s*</, "an HTML or XML page", "download the file itself"],
  [/^version https:\/\/git-lfs/, "a git-lfs pointer", "fetch the file itself: git lfs pull"],
  [/^GGUF/, "a GGUF file", ggml],
  [/^(lmgg|fmgg|tjgg)/, "a GGML file", ggml],
  [/^[^ -\xff]\x8b/, "a gzip file", "unpack it"],
  [/^\x93NUMPY/, "a NumPy array", "safetensors.numpy.save_file writes safetensors"],
  [/^\s*\{/, "JSON", "load the safetensors files that it is about"],
  [/^[\t\n\r -~]{8}/, "text", "was the download an error message?"],
];

/** The error for a file with an invalid beginning, which names the file's format if it is known. */
export function notSafetensors(bytes: Uint8Array, requirement: string, current: string): TypeError {
  const start = String.fromCharCode(...bytes.subarray(0, 64));
  const kind = kinds.find(([pattern]) => pattern.test(start));
  if (kind === undefined) return malformed(requirement, current);
  return malformed(`a file must be safetensors (${kind[2]})`, `one is ${kind[1]}`);
}
