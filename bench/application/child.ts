/**
 * A new process for one measurement: takes a request as JSON in its argument, and prints the result as JSON.
 *
 * @module
 */
import { openBackend } from "../measure/backends.ts";
import { measureAborts } from "./aborts.ts";
import { measureGaps } from "./gaps.ts";
import { sampleLoop, tokenLoop, trainingLoop } from "./loops.ts";
import type { Request } from "./request.ts";

async function measure(request: Request): Promise<unknown> {
  const { claim, count } = request;
  const backend = await openBackend(request.backend);
  switch (claim) {
    case "gaps":
      return await measureGaps(request, backend);
    case "aborts":
      return await measureAborts(request, backend);
    case "tokens":
      return await sampleLoop(await tokenLoop(backend, 65_536), backend, count ?? 8000);
    case "steps":
      return await sampleLoop(
        await tokenLoop(backend, 4096),
        backend,
        count ?? (request.backend === "webgpu" ? 10_000 : 100_000),
      );
    case "training":
      return await sampleLoop(await trainingLoop(backend), backend, count ?? 2000);
  }
}

if (import.meta.main) {
  console.log(JSON.stringify(await measure(JSON.parse(Deno.args[0]))));
  // Pending timers and devices would keep the process alive.
  Deno.exit();
}
