/**
 * A fresh process for one cell: reads the context, decodes a token, and prints what that took as JSON. The cell comes
 * as JSON too; without one, the process only loads the library.
 *
 * @module
 */
import { countMemory } from "../count_memory.ts";

/** The most memory that this process has had resident; null where the system doesn't tell. */
function processPeak(): number | null {
  try {
    const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

if (import.meta.main) {
  const [cell] = Deno.args;
  const count = cell === undefined ? {} : await countMemory(JSON.parse(cell));
  console.log(JSON.stringify({ ...count, processBytes: processPeak() }));
}
