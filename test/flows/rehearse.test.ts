import { DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Payload } from "../../lambdas/core/messages.ts";
import type { QueueName } from "../../registry/queues.ts";
import { burying, jobMail } from "./dead-letter.ts";
import { fluxFor } from "./flux.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
let flux: ReturnType<typeof fluxFor>["flux"];
let fluxJson: ReturnType<typeof fluxFor>["fluxJson"];
beforeAll(async () => {
  station = await startFlowStation();
  ({ flux, fluxJson } = fluxFor(station));
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const { envelope, bury } = burying(() => station);

describe("flux dlq rehearse", () => {
  const vendors = ["resend", "discord", "site", "embeddings", "images", "packages", "github", "heartbeat"] as const;
  /** Everything that a handler could change: what vendors were asked, rows, records, queues. */
  async function everything() {
    const dynamodb = new DynamoDBClient({
      endpoint: station.endpoints.dynamodb,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    });
    const { Items = [] } = await dynamodb.send(new ScanCommand({ TableName: "prod-flux-state" }));
    dynamodb.destroy();
    const tables = await station.sql<{ name: string }>(
      "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1",
    );
    const rows: Record<string, unknown> = {};
    for (const { name } of tables)
      rows[name] = (
        await station.sql(`select md5(coalesce(string_agg(t::text, '' order by t::text), '')) from ${name} t`)
      )[0];
    const { pending, queues: tally } = await station.report();
    return {
      calls: await Promise.all(vendors.map(async (vendor) => (await station.calls(vendor)).length)),
      // Sweeps go on meanwhile.
      records: Items.filter(({ pk }) => pk?.S !== "queue")
        .map((item) => JSON.stringify(item))
        .toSorted(),
      rows,
      pending,
      tally: Object.fromEntries(Object.entries(tally).filter(([queue]) => !queue.endsWith("-sweep"))),
    };
  }
  const someId = "0b0a8a2e-6f0e-4c3a-9c56-5a8a2d0f0001";

  test("runs today's handler of every queue, tells what it would do, and does none of it", async () => {
    const [subscriber] = await station.sql<{ subscription_id: string }>(
      "select (subscribe_newsletter(p_email => 'rehearsed@example.com') ->> 'subscription_id')::uuid as subscription_id",
    );
    const subscriptionId = subscriber?.subscription_id ?? "";
    const [job] = await station.sql<{ id: string }>(
      `insert into jobs (slug, title, company, description, category, link, status, is_placeholder)
       values ('rehearsed', 'Rehearser', 'Example Post', 'What there is to do', 'engineering', 'https://example.com', 'active', false)
       returning id`,
    );
    await station.fire("outbox-sweep");
    await station.quiet();
    const payloads: { [Q in QueueName]: Payload<Q> } = {
      subscription: { kind: "subscribe", email: "brand-new@example.com" },
      email: jobMail("rehearse/1"),
      "webhook-events": { source: "resend", dedupeKey: "r/1", type: "email.sent", occurredAt: null, data: {} },
      "outbox-sweep": {},
      "recovery-sweep": {},
      revalidation: { table: "content", change: "INSERT", current: { category: "agents", slug: "x", tags: [] } },
      pulse: { content_type: "agents", content_slug: "x", interaction_type: "view" },
      "segment-sync": { subscriptionId },
      "segment-recovery": { subscriptionId },
      "changelog-process": { webhook_event_id: someId },
      "changelog-notify": { entry_id: someId },
      "discord-jobs": { job_id: job?.id ?? "", change: "UPDATE" },
      "discord-submissions": { submission_id: someId, change: "INSERT" },
      "embedding-generation": { content_id: someId },
      "image-generation": { type: "card", content_id: "x", params: { title: "A picture" } },
      "package-generation": { content_id: someId, category: "agents", slug: "x" },
    };
    const ids: [QueueName, string][] = [];
    for (const queue of Object.keys(payloads) as QueueName[]) {
      const message = await envelope(queue, payloads[queue]);
      await bury(queue, message);
      ids.push([queue, message.id]);
    }
    const before = await everything();
    const would: Record<string, string[]> = {};
    for (const [queue, id] of ids) {
      const { outcome, detail, steps } = await fluxJson<{
        outcome: string;
        detail: string;
        steps: { kind: string; what: string }[];
      }>("dlq", "rehearse", id, "--queue", queue);
      would[queue] = [
        outcome === "failing" ? detail : outcome,
        ...steps.filter(({ kind }) => kind === "would").map(({ what }) => what),
      ];
    }
    expect(await everything()).toEqual(before);
    expect(would).toMatchObject({
      subscription: [
        "done",
        "call subscribe_newsletter",
        "put a message on revalidation",
        "create the contact at Resend, or find that it is there",
        "call record_contact_sync",
        "call record_contact_sync",
        "send a mail",
      ],
      email: ["done", "send a mail"],
      "webhook-events": ["invalid", "call receive_webhook_event", "call start_webhook_event_run", expect.any(String)],
      "segment-sync": ["done", "run the workflow segment-sync and wait for its end"],
      pulse: ["done", "call batch_insert_user_interactions"],
      revalidation: ["done", "make pages of the site stale", expect.stringContaining("write the record done#")],
      "recovery-sweep": ["open"],
      "changelog-notify": ["invalid"],
      "discord-submissions": ["suppressed"],
    });
  });

  test("shows that the ledger would hold a mail back, by the very mail that today's code renders", async () => {
    const sent = await envelope("email", jobMail("rehearse/sent", "held@example.com"));
    await station.enqueue("email", sent);
    await station.quiet();
    await bury("email", sent);
    const text = await flux("dlq", "rehearse", sent.id);
    expect(text).toContain("not send: rehearse/sent is accepted already");
    expect(text).not.toContain("held@example.com");
    expect(text).toMatch(/Outcome: done/);
  });

  test("a message that breaks its contract is not run at all", async () => {
    await bury("email", { id: "broken-one", payload: {} });
    expect(await fluxJson("dlq", "rehearse", "broken-one")).toMatchObject({ outcome: "invalid", steps: [] });
  });
});
