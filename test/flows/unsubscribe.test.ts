import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

// Many functions may have to start at once, on a machine that does much else.
vi.setConfig({ testTimeout: 60_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const dayMs = 86_400_000;
const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/** Subscribes somebody and answers the path of the link in their welcome. */
async function linkOf(email: string): Promise<string> {
  await station.subscribe(email);
  await station.quiet();
  const [mail] = await station.outbox(email);
  const link = mail?.headers["List-Unsubscribe"]?.slice(1, -1) ?? "";
  expect(link.startsWith(station.api)).toBe(true);
  return link.slice(station.api.length);
}

const statusOf = async (email: string) =>
  (
    await station.sql<{ status: string; unsubscribe_reason: string | null }>(
      "select status, unsubscribe_reason from newsletter_subscriptions where email = $1",
      [email],
    )
  )[0];

describe("The link in a mail", () => {
  test("opened by a scanner of links shows a page and changes nothing", async () => {
    const email = "scanned@example.com";
    const path = await linkOf(email);
    const after = (await station.calls()).at(-1)?.seq ?? 0;
    const { received } = (await station.report()).queues.subscription ?? { received: 0 };
    for (let time = 0; time < 3; time += 1) {
      const page = await station.call(path, { headers: { accept: browser } });
      expect(page.status).toBe(200);
      expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
      expect(page.headers["cache-control"]).toBe("no-store");
      expect(page.text).toContain('<form method="post">');
      expect(page.text).toContain("Unsubscribe from Example Directory?");
    }
    await station.quiet();
    expect((await statusOf(email))?.status).toBe("active");
    expect(await station.calls("resend", after)).toEqual([]);
    expect((await station.report()).queues.subscription?.received).toBe(received);
  });

  test("unsubscribes when its button is pressed, here and at Resend", async () => {
    const email = "button@example.com";
    const path = await linkOf(email);
    const answer = await station.call(path, {
      body: "",
      headers: { "content-type": "application/x-www-form-urlencoded", accept: browser },
    });
    expect(answer.status).toBe(202);
    expect(answer.text).toContain("You are unsubscribed");
    await station.quiet();
    expect(await statusOf(email)).toEqual({ status: "unsubscribed", unsubscribe_reason: "page" });
    expect((await station.contact(email))?.unsubscribed).toBe(true);
  });

  test("unsubscribes when a mailbox provider posts to it as RFC 8058 says", async () => {
    const email = "one-click@example.com";
    const path = await linkOf(email);
    const answer = await station.call(path, {
      body: "List-Unsubscribe=One-Click",
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    expect(answer.status).toBe(202);
    await station.quiet();
    expect(await statusOf(email)).toEqual({ status: "unsubscribed", unsubscribe_reason: "one-click" });
    expect((await station.contact(email))?.unsubscribed).toBe(true);
  });

  test("works a second time without an error", async () => {
    const email = "twice@example.com";
    const path = await linkOf(email);
    for (let time = 0; time < 2; time += 1) {
      expect((await station.call(path, { body: "" })).status).toBe(202);
      await station.quiet();
    }
    expect((await statusOf(email))?.status).toBe("unsubscribed");
    expect((await station.report()).deadLetters).toEqual({});
  });

  test("is refused when its token is wrong, cut short or missing, and nothing is queued", async () => {
    const email = "forged@example.com";
    const path = await linkOf(email);
    const otherPath = await linkOf("other@example.com");
    const { received } = (await station.report()).queues.subscription ?? { received: 0 };
    const [subscription, signature = ""] = path.split("token=")[1]?.split(".") ?? [];
    const tokens = [
      `token=${subscription}.${signature.slice(0, -1)}`,
      `token=${subscription}.${otherPath.split(".").at(-1)}`,
      `token=${subscription}`,
      "token=",
      "",
    ];
    for (const token of tokens) {
      for (const method of ["GET", "POST"]) {
        const answer = await station.call(`/email/unsubscribe?${token}`, { method });
        expect(answer.status, `${method} ${token}`).toBe(401);
        expect(answer.headers["content-type"]).toBe("application/problem+json");
        expect(answer.json()).toMatchObject({ type: "urn:flux-station:problem:unauthorized", status: 401 });
      }
    }
    await station.quiet();
    expect((await statusOf(email))?.status).toBe("active");
    expect((await station.report()).queues.subscription?.received).toBe(received);
  });

  test.each(["GET", "POST"])("refused in a browser (%s) is explained on a page", async (method) => {
    const answer = await station.call("/email/unsubscribe?token=%3Cscript%3E", {
      method,
      headers: { accept: browser },
    });
    expect(answer.status).toBe(401);
    expect(answer.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(answer.headers["ratelimit-limit"]).toBe("100");
    expect(answer.text).toContain("Use the link from a mail.");
    expect(answer.text).not.toContain("<script>");
  });
});

describe("After unsubscribing", () => {
  test("no onboarding mail and no digest comes, while others get theirs", async () => {
    const path = await linkOf("gone@example.com");
    await linkOf("stays@example.com");
    await station.call(path, { body: "List-Unsubscribe=One-Click" });
    await station.quiet();

    await station.advance(3 * dayMs);
    await station.fire("prod-flux-weekly-digest");
    await station.quiet();

    expect(await station.outbox("gone@example.com")).toHaveLength(1);
    const kept = await station.outbox("stays@example.com");
    expect(kept.map(({ kind }) => kind).toSorted()).toEqual(["batch", "broadcast", "email"]);
    const open = await station.sql(
      "select from email_sequence_schedule where email = 'gone@example.com' and not processed",
    );
    expect(open).toEqual([]);
  }, 120_000);
});
