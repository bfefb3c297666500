import type { StepName } from "./boundaries.ts";
import type { Service } from "./fault-plan.ts";

/** A request on its way out of a function. */
export interface OutgoingCall {
  service: Service;
  method: string;
  path: string;
  headers: Record<string, string>;
  /** The body as JSON; undefined where it is none. */
  body: unknown;
}

export interface ClassifiedCall {
  /** The step that it is, when it is one at whose boundaries functions die. */
  step: StepName | undefined;
  /** What it is about, as far as the call itself tells: the same in every run of a seed. */
  item: string | undefined;
}

/** Tells by host, operation and key which step of the station a call is. */
export function classifyCall(call: OutgoingCall): ClassifiedCall {
  switch (call.service) {
    case "dynamodb":
      return tableCall(call);
    case "sqs":
      return queueCall(call);
    case "stepfunctions":
      return { step: call.headers["x-amz-target"]?.endsWith("StartSyncExecution") ? "run" : "start", item: undefined };
    case "supabase":
      return databaseCall(call);
    case "resend":
      return resendCall(call);
    case "discord":
      return postCall(call);
    case "site":
      return { step: "revalidate", item: JSON.stringify(call.body) };
    case "other":
      return { step: undefined, item: undefined };
  }
}

function tableCall({ headers, body }: OutgoingCall): ClassifiedCall {
  const operation = headers["x-amz-target"]?.split(".").at(-1) ?? "";
  const key = field(body, "Item") ?? field(body, "Key");
  const pk = text(field(key, "pk", "S"));
  const sk = text(field(key, "sk", "S"));
  // All calls go through the pacer's one item: what it is about is whoever wants to call.
  return {
    step: tableStep(operation, { pk, sk }, body),
    item: pk === "pacer" ? undefined : `${operation}/${pk}/${sk}`,
  };
}

function tableStep(operation: string, { pk, sk }: { pk: string; sk: string }, body: unknown): StepName | undefined {
  const [kind = ""] = pk.split("#");
  const value = (name: string) => field(body, "ExpressionAttributeValues", name);
  const written = (name: string) => field(body, "Item", name);
  if (operation === "GetItem") return undefined;
  switch (kind) {
    case "ledger-tag":
      return "tag";
    case "ledger":
      return sk === "mail"
        ? mailStep(operation, text(field(value(":status"), "S")), value(":fate"))
        : postStep(text(field(written("status"), "S")));
    case "segment":
      return field(written("dirty"), "BOOL") === true ? "dirty" : "clean";
    case "digest":
      return digestStep(sk, value);
    case "idempotency":
      return operation === "PutItem" ? "request-claim" : "request-record";
    case "pacer":
      return "reserve";
    default:
      return undefined;
  }
}

function mailStep(operation: string, status: string, fate: unknown): StepName | undefined {
  if (operation === "PutItem") return "claim";
  if (fate !== undefined) return "settle";
  if (status === "sending") return "attempt";
  return status === "accepted" ? "record" : undefined;
}

function postStep(status: string): StepName | undefined {
  if (status === "sending") return "post-attempt";
  return status === "accepted" ? "post-record" : undefined;
}

function digestStep(sk: string, value: (name: string) => unknown): StepName | undefined {
  if (sk.startsWith("batch#")) return "batch-store";
  if (sk === "pinned") return "pin";
  if (sk !== "claim") return undefined;
  if (value(":running") !== undefined) return "week-claim";
  if (value(":cursor") !== undefined) return "cursor";
  if (value(":broadcastId") !== undefined) return "broadcast-record";
  return value(":state") === undefined ? undefined : "week-close";
}

function queueCall({ headers, body }: OutgoingCall): ClassifiedCall {
  const operation = headers["x-amz-target"]?.split(".").at(-1) ?? "";
  const url = text(field(body, "QueueUrl"));
  const queue = url.slice(url.lastIndexOf("/") + 1);
  const message = field(body, "MessageBody") ?? field(body, "Entries", "0", "MessageBody");
  const item = `${operation}/${queue}/${text(field(parsed(text(message)), "businessKey"))}`;
  if (!operation.startsWith("SendMessage")) return { step: undefined, item };
  return { step: /-dlq(\.fifo)?$/.test(queue) ? "dead-letter" : "enqueue", item };
}

const databaseSteps = new Map<string, StepName>([
  ["claim_due_sequence_emails", "sequence-claim"],
  ["complete_sequence_batch", "sequence-complete"],
  ["claim_outbox", "outbox-claim"],
  ["complete_outbox", "outbox-complete"],
  ["receive_webhook_event", "event-receive"],
  ["apply_resend_event", "event-apply"],
  ["finish_webhook_event_run", "event-finish"],
]);

/** Arguments that tell what a database call is about. */
const tellingArguments = [
  "p_email",
  "p_emails",
  "p_subscription_id",
  "p_dedupe_key",
  "p_job_id",
  "p_submission_id",
  "p_content_id",
];

function databaseCall({ path, body }: OutgoingCall): ClassifiedCall {
  const name = path.split("?")[0]?.split("/").at(-1) ?? "";
  const telling = tellingArguments.map((argument) => field(body, argument)).find((value) => value !== undefined);
  const about = telling ?? field(body, "p", "event_id");
  return {
    step: databaseSteps.get(name) ?? "rpc",
    item: about === undefined ? undefined : `${name}/${JSON.stringify(about)}`,
  };
}

/** The footer names the job or submission that a message is about. */
function postCall({ method, body }: OutgoingCall): ClassifiedCall {
  const footer = text(field(body, "embeds", "0", "footer", "text"));
  return { step: method === "PATCH" ? "edit" : "post", item: footer === "" ? undefined : `${method}/${footer}` };
}

function resendCall({ method, path, headers, body }: OutgoingCall): ClassifiedCall {
  const [, resource = "", id = "", part = ""] = path.split("?")[0]?.split("/") ?? [];
  const key = headers["idempotency-key"];
  if (resource === "emails") return { step: "send", item: key === undefined ? undefined : `send/${key}` };
  // A contact's id is another one in every run; then who is worked for tells what it is about.
  const who = id.includes("%40") || id.includes("@") ? id : text(field(body, "email"));
  const item = who === "" ? undefined : `${method}/${resource}/${who}/${part}`;
  if (method === "GET") return { step: undefined, item };
  if (resource === "broadcasts") return { step: part === "send" ? "broadcast-send" : "broadcast-create", item };
  if (part === "segments") return { step: method === "DELETE" ? "segment-remove" : "segment-add", item };
  return { step: method === "POST" ? "contact-create" : "contact-update", item };
}

/** A value inside of JSON; undefined where the path leads nowhere. */
export function field(value: unknown, ...path: string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = Reflect.get(found, name);
  }
  return found;
}

export const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** A text as JSON; undefined where it is none. */
export function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
