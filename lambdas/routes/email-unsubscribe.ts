import { makeEnvelope } from "../core/messages.ts";
import type { Brand } from "../core/station.ts";
import type { MessageSender } from "../runtime/message-sender.ts";
import { Problem } from "./door/problem.ts";
import { pageReply } from "./door/reply.ts";
import type { Route } from "./door/zone.ts";

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

const question = ({ name }: Brand) => `
  <h1>Unsubscribe from ${escaped(name)}?</h1>
  <p>You will get no more newsletters or onboarding mails from us.</p>
  <form method="post"><button type="submit">Unsubscribe</button></form>`;

const confirmation = ({ name, siteUrl }: Brand) => `
  <h1>You are unsubscribed</h1>
  <p>${escaped(name)} will send you no more newsletters. A mail already on its way may still arrive.</p>
  <p><a href="${escaped(siteUrl)}">Back to ${escaped(name)}</a></p>`;

function page({ name, colors }: Brand, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escaped(name)}: unsubscribe</title>
<style>
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 16px/1.5 system-ui, sans-serif;
    background: ${escaped(colors.background)}; color: ${escaped(colors.text)}; }
  main { max-width: 26rem; margin: 1rem; padding: 2rem; border-radius: 12px; background: #fff; color: #1f1e1d; }
  h1 { font-size: 1.4rem; margin: 0 0 .5rem; }
  button { font: inherit; font-weight: 600; padding: .6rem 1.2rem; border: 0; border-radius: 8px; cursor: pointer;
    background: #1f1e1d; color: #fff; }
  a { color: inherit; }
</style>
</head>
<body><main>${content}</main></body>
</html>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
