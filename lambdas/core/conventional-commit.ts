/** The first line of a commit that says what it changes: `feat(search)!: rank entries by use`. */
export interface ConventionalCommit {
  type: ReleasedType;
  scope: string | null;
  /** Marked with `!`, or by a `BREAKING CHANGE:` line in the body. */
  breaking: boolean;
  text: string;
}

/** Types that readers of a changelog care about; `docs`, `chore`, `test`, `ci` and `build` are not theirs. */
const releasedTypes = ["feat", "fix", "refactor", "perf", "style", "revert"] as const;
type ReleasedType = (typeof releasedTypes)[number];

const firstLine = new RegExp(`^(${releasedTypes.join("|")})(?:\\(([^()\\n]*)\\))?(!)?:[ \\t]*(\\S.*)$`, "i");

/** Undefined for a message of another form or type. Only its first line counts, since a squashed one lists many more. */
export function parseConventionalCommit(message: string): ConventionalCommit | undefined {
  const [line = "", ...body] = message.split(/\r?\n/);
  const [, word = "", scope = "", mark, text = ""] = firstLine.exec(line.trim()) ?? [];
  const type = releasedTypes.find((known) => known === word.toLowerCase());
  if (!type) return undefined;
  const breaking = mark === "!" || body.some((each) => /^BREAKING[ -]CHANGE:/.test(each));
  return { type, scope: scope.trim() || null, breaking, text: text.trim() };
}
