/** A measurement that `npm run bench -- <name>` makes. */
export interface Benchmark {
  /** One line: what is measured. */
  about: string;
  /** Measures, showing a line as soon as there is one to show; answers the figures, with the machine they are of. */
  run(show: (line: string) => void): Promise<Record<string, number | string>>;
}
