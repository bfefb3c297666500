/** The operator cannot go on; the message says why and what to do. */
export class OperatorError extends Error {
  override name = "OperatorError";
}

/** The command line says something that the verb does not take. */
export class UsageError extends OperatorError {
  override name = "UsageError";
}
