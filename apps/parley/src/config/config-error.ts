// A configuration that cannot be used, with the place to look at.

export interface ConfigProblem {
  /** 1-based; undefined when the problem has no place in the file. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** `message` has one line for each problem: `file:line:column: what is wrong and what to do`. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ line, column, message }) => {
      const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
      return `${place}: ${message}`;
    });
    super(lines.join("\n"));
    this.problems = problems;
  }
}
