/** Codes and statuses as published at https://discord.com/developers/docs/topics/opcodes-and-status-codes. */
const REFUSALS = {
  unknownMessage: { status: 404, code: 10_008, message: "Unknown Message" },
  unknownWebhook: { status: 404, code: 10_015, message: "Unknown Webhook" },
  emptyMessage: { status: 400, code: 50_006, message: "Cannot send an empty message" },
  invalidToken: { status: 401, code: 50_027, message: "Invalid Webhook Token" },
  invalidForm: { status: 400, code: 50_035, message: "Invalid Form Body" },
  invalidJson: { status: 400, code: 50_109, message: "The request body contains invalid JSON." },
  notFound: { status: 404, code: 0, message: "404: Not Found" },
  internal: { status: 500, code: 0, message: "500: Internal Server Error" },
} as const;

export type DiscordRefusalName = keyof typeof REFUSALS;

/** A tree as deep as the body's own, with `_errors` where something is wrong: `{embeds: {0: {title: {_errors}}}}`. */
export type FormErrors = { [key: string]: FormErrors | { code: string; message: string }[] };

/** A refusal in Discord's own words: `{message, code, errors?}`. */
export class DiscordRefusal extends Error {
  override name = "DiscordRefusal";
  readonly refusal: DiscordRefusalName;
  readonly errors: FormErrors | undefined;

  constructor(refusal: DiscordRefusalName, errors?: FormErrors) {
    super(REFUSALS[refusal].message);
    this.refusal = refusal;
    this.errors = errors;
  }
}

export function refusalResponse(refusal: DiscordRefusalName, errors?: FormErrors): Response {
  const { status, code, message } = REFUSALS[refusal];
  return Response.json({ message, code, ...(errors ? { errors } : {}) }, { status });
}
