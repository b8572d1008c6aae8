/**
 * A new process for one cell: loads the parameters, reads the context, decodes a token, and prints the memory used
 * as JSON. Its arguments are the cell as JSON and the file of parameters; without them it only loads the library.
 *
 * @module
 */
import { openBackend } from "./backends.ts";
import { countMemory, type ProcessPeak } from "./memory.ts";
import { type Cell, loadSubject } from "./subjects.ts";

function processPeak(): ProcessPeak {
  try {
    const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
    return { processBytes: kilobytes === undefined ? null : Number(kilobytes) * 1024 };
  } catch {
    return { processBytes: null };
  }
}

async function count({ backend: name, model, mode, length }: Cell, file: string) {
  using backend = await openBackend(name);
  return await countMemory(loadSubject(model, await Deno.readFile(file), backend), mode, length);
}

if (import.meta.main) {
  const [cell, file] = Deno.args;
  const counted = cell === undefined ? {} : await count(JSON.parse(cell), file);
  console.log(JSON.stringify({ ...counted, ...processPeak() }));
}
