/**
 * A fresh process for one cell: loads the parameters, reads the context, decodes a token, and prints what that took
 * as JSON. Its arguments are the cell as JSON and the parameters' file; without them it only loads the library.
 *
 * @module
 */
import { countMemory } from "../count_memory.ts";
import { type Cell, loadSubject } from "../subjects.ts";

/** The most memory that this process has had resident; null where the system doesn't tell. */
function processPeak(): number | null {
  try {
    const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

function countFromFile(cell: Cell, file: string) {
  return countMemory(cell, (backend) => loadSubject(cell.model, Deno.readFileSync(file), backend));
}

if (import.meta.main) {
  const [cell, file] = Deno.args;
  const count = cell === undefined ? {} : await countFromFile(JSON.parse(cell), file);
  console.log(JSON.stringify({ ...count, processBytes: processPeak() }));
}
