import type { ChaosEvent } from "./chaos-event.ts";
import { field, type OutgoingCall, parsed, text } from "./classify-call.ts";
import type { Disturbances } from "./disturbances.ts";
import type { Service } from "./fault-plan.ts";

/** Answers of a vendor that fails, worded as it words them. */
function faultAnswer(service: Service, status: 429 | 500): Response {
  const headers = { "retry-after": "1" };
  if (service === "resend") {
    const name = status === 429 ? "rate_limit_exceeded" : "internal_server_error";
    return Response.json({ statusCode: status, name, message: "Injected by the chaos sweep" }, { status, headers });
  }
  if (service === "discord" && status === 429)
    return Response.json(
      { message: "You are being rate limited.", retry_after: 0.5, global: false },
      { status, headers },
    );
  if (service === "supabase")
    return Response.json({ code: "57P03", message: "the database system is starting up" }, { status: 503 });
  return Response.json({ message: "Injected by the chaos sweep" }, { status });
}

const noConnection = () =>
  new TypeError("fetch failed", { cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }) });
const noAnswer = () => new DOMException("The operation was aborted due to timeout", "TimeoutError");

/** A `fetch` whose calls meet what the plan has for them. */
export function watchFetch(
  real: typeof fetch,
  serviceOf: (url: URL) => Service | undefined,
  disturbances: Disturbances,
  report: (event: ChaosEvent) => void,
): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    const service = serviceOf(url);
    if (!service) return real(input, init);
    const body = typeof init?.body === "string" ? parsed(init.body) : undefined;
    const headers = Object.fromEntries(request.headers);
    const call: OutgoingCall = { service, method: request.method, path: url.pathname + url.search, headers, body };
    const { fault, slowness, leaving, answered } = disturbances.call(call);

    await slowness();
    leaving();
    if (fault === "reset") throw noConnection();
    if (fault === "rate429" || fault === "rate5xx") return faultAnswer(service, fault === "rate429" ? 429 : 500);
    const response = await real(input, init);
    if (service === "resend" && url.pathname.startsWith("/emails") && response.ok) {
      const mails = acceptedMails(body, await response.clone().json());
      report({ kind: "accepted", key: headers["idempotency-key"] ?? "", mails });
    }
    answered(response.status);
    if (fault !== "lost" && fault !== "failed-after") return response;
    // It was carried out; the body is read so that the connection is free again.
    await response.arrayBuffer();
    if (fault === "lost") throw noAnswer();
    return faultAnswer(service, 500);
  };
}

function acceptedMails(sent: unknown, answer: unknown) {
  const bodies = Array.isArray(sent) ? sent : [sent];
  const data = field(answer, "data");
  const ids = (Array.isArray(data) ? data : [answer]).map((one) => text(field(one, "id")));
  return bodies.map((mail: unknown, index) => {
    const to = field(mail, "to");
    const tags = field(mail, "tags");
    const pairs = Array.isArray(tags) ? tags.map((tag) => [text(field(tag, "name")), text(field(tag, "value"))]) : [];
    return { id: ids[index] ?? "", to: text(Array.isArray(to) ? to[0] : to), tags: Object.fromEntries(pairs) };
  });
}
