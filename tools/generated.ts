/** A file that is made of others, and committed. */
export interface Generated {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}
