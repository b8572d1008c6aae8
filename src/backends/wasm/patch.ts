/**
 * Applies the differences between two builds of the kernels, which are shorter than the second build.
 *
 * @param text the hexadecimal digits of one build
 * @param patch the edits from the start to the end, each three words: how many digits are kept, how many after
 *   them are dropped, and the digits in their place, perhaps none: `"12 4 fde601"`
 * @returns the digits of the other build
 */
export function patched(text: string, patch: string): string {
  // One list of words takes half the time of a list of edits.
  const words = patch.split(" ");
  let at = 0, result = "";
  for (let i = 0; i < words.length; i += 3) {
    result += text.slice(at, at += Number(words[i])) + words[i + 2];
    at += Number(words[i + 1]);
  }
  return result + text.slice(at);
}
