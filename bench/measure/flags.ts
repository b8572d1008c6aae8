/**
 * Parses command-line flags.
 *
 * @module
 */
import { parseArgs } from "@std/cli";

const action = "read command line";

/**
 * The values of a command's flags: booleans, and texts.
 *
 * @throws {RangeError} on an unknown flag
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
  // Arguments after a "--" are not reported as unknown.
  if (flags._.length > 0) unknown(`-- ${flags._[0]}`);
  return flags as unknown as Record<Set, boolean> & Record<Text, string | undefined>;
}

/** Parses the command line; on an invalid one, prints the reason and the usage, and ends the process. */
export function parsedOrExit<Options>(parse: (args: readonly string[]) => Options, usage: string): Options {
  try {
    return parse(Deno.args);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    Deno.exit(2);
  }
}

/** An integer of at least 1; undefined if the flag is not given. */
export function countOf(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const count = Number(value);
  if (!(Number.isSafeInteger(count) && count >= 1)) {
    throw wrong(flag, "a whole number of at least 1", value);
  }
  return count;
}

/** The comma-separated values without duplicates; undefined if the flag is not given. */
export function listOf(flag: string, value: string | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const values = value.split(",").map((each) => each.trim());
  if (values.includes("")) throw wrong(flag, "values with commas between them", value);
  return [...new Set(values)];
}

/** The same for values from a list of choices. */
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

/** The error for an invalid value of a flag. */
export function wrong(flag: string, requirement: string, value: string): RangeError {
  return new RangeError(
    `Cannot ${action}: --${flag} must be ${requirement}, current value is ${JSON.stringify(value)}`,
  );
}
