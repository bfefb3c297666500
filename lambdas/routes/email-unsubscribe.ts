import { makeEnvelope } from "../core/messages.ts";
import type { Brand } from "../core/station.ts";
import type { MessageSender } from "../runtime/message-sender.ts";
import { Problem, type ProblemKind } from "./door/problem.ts";
import { pageReply } from "./door/reply.ts";
import type { Route } from "./door/zone.ts";
import { escaped, page } from "./page.ts";

/**
 * GET shows a page with one button, since programs that look at links must not unsubscribe anybody; POST does it,
 * from that button or from a mailbox provider's own (RFC 8058).
 */
export const emailUnsubscribe =
  ({ sender, brand, now }: { sender: MessageSender; brand: Brand; now: () => number }): Route =>
  async (request, { subscriptionId }) => {
    if (!subscriptionId) throw new Problem("unauthorized", "The link names no subscription.");
    if (request.method === "GET") return pageReply(200, page(brand, question(brand)));
    const oneClick = request.body.toString("utf8").includes("List-Unsubscribe=One-Click");
    const envelope = makeEnvelope(
      "subscription",
      { kind: "unsubscribe", subscriptionId, reason: oneClick ? "one-click" : "page" },
      { businessKey: `unsubscribe/${subscriptionId}`, correlationId: request.correlationId, nowMs: now() },
    );
    await sender.send("subscription", envelope);
    return pageReply(202, page(brand, confirmation(brand)));
  };

/** Problems whose details are for us and not for the reader of a mail. */
const ourFault: ProblemKind[] = ["missing-configuration", "internal-error"];

/** The same route's problems for whoever opened the link in a browser: a JSON body helps nobody there. */
export const unsubscribeProblem =
  (brand: Brand) =>
  (problem: Problem): string =>
    page(
      brand,
      `
  <h1>This did not work</h1>
  <p>${escaped(ourFault.includes(problem.kind) ? "Something is wrong on our side. Please try again later." : problem.message)}</p>
  <p><a href="${escaped(brand.siteUrl)}">Back to ${escaped(brand.name)}</a></p>`,
    );

const question = ({ name }: Brand) => `
  <h1>Unsubscribe from ${escaped(name)}?</h1>
  <p>You will get no more newsletters or onboarding mails from us.</p>
  <form method="post"><button type="submit">Unsubscribe</button></form>`;

const confirmation = ({ name, siteUrl }: Brand) => `
  <h1>You are unsubscribed</h1>
  <p>${escaped(name)} will send you no more newsletters. A mail already on its way may still arrive.</p>
  <p><a href="${escaped(siteUrl)}">Back to ${escaped(name)}</a></p>`;
