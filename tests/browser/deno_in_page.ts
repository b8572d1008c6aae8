/** The part of Deno that the shared tests need, in a web page. Must be imported before them. */

type Body = (context: { step(name: string, body: Body): Promise<void> }) => unknown;

interface Test {
  readonly name: string;
  readonly fn: Body;
  readonly ignore?: boolean;
}

/** All registered tests, in order. */
export const tests: Test[] = [];

Object.defineProperty(globalThis, "Deno", {
  value: {
    test(nameOrTest: string | Test, fn?: Body) {
      tests.push(typeof nameOrTest === "string" ? { name: nameOrTest, fn: fn! } : nameOrTest);
    },
    env: { get: (name: string) => name === "REQUIRE_WEBGPU" ? "1" : undefined },
    inspect: (value: unknown) => JSON.stringify(value),
  },
});

/** Runs a test with all of its steps. Returns the failures as text. */
export async function failuresOf({ name, fn }: Test): Promise<string[]> {
  const failures: string[] = [];
  const run = async (path: string, body: Body) => {
    try {
      await body({ step: (step, inner) => run(`${path} ... ${step}`, inner) });
    } catch (error) {
      failures.push(`${path}: ${error instanceof Error ? error.stack : error}`);
    }
  };
  await run(name, fn);
  return failures;
}
