/**
 * Command lines of flags.
 *
 * @module
 */
import { parseArgs } from "@std/cli";

const action = "read command line";

/**
 * The values of the flags that a command takes: those that are set or not, and those of a text each.
 *
 * @throws {RangeError} on a flag that there is not
 */
export function readFlags<Set extends string, Text extends string>(
  args: readonly string[],
  set: readonly Set[],
  text: readonly Text[],
): Readonly<Record<Set, boolean> & Record<Text, string | undefined>> {
  const unknown = (flag: string): never => {
    throw new RangeError(`Cannot ${action}: flags must be those of --help, current flag is ${flag}`);
  };
  const flags = parseArgs([...args], { boolean: [...set], string: [...text], unknown });
  // What stands after a "--" is not asked about as unknown.
  if (flags._.length > 0) unknown(`-- ${flags._[0]}`);
  return flags as unknown as Record<Set, boolean> & Record<Text, string | undefined>;
}

/** What a command line says; on a mistake in it, says which and ends the process. */
export function parsedOrExit<Options>(parse: (args: readonly string[]) => Options, usage: string): Options {
  try {
    return parse(Deno.args);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    Deno.exit(2);
  }
}

/** A number of at least 1; undefined where the flag is not given. */
export function countOf(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const count = Number(value);
  if (!(Number.isSafeInteger(count) && count >= 1)) {
    throw wrong(flag, "a whole number of at least 1", value);
  }
  return count;
}

/** The values between the commas, each once; undefined where the flag is not given. */
export function listOf(flag: string, value: string | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const values = value.split(",").map((each) => each.trim());
  if (values.includes("")) throw wrong(flag, "values with commas between them", value);
  return [...new Set(values)];
}

/** The same of values that are among a few. */
export function choicesOf<Choice extends string>(
  flag: string,
  value: string | undefined,
  choices: readonly Choice[],
): readonly Choice[] | undefined {
  const values = listOf(flag, value);
  const other = values?.find((each) => !choices.includes(each as Choice));
  if (other !== undefined) throw wrong(flag, `of ${choices.join(", ")}`, other);
  return values as readonly Choice[] | undefined;
}

/** That a flag's value is not what it must be. */
export function wrong(flag: string, requirement: string, value: string): RangeError {
  return new RangeError(
    `Cannot ${action}: --${flag} must be ${requirement}, current value is ${JSON.stringify(value)}`,
  );
}
