import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DynamoDBClient, paginateScan } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { z } from "zod";
import { send } from "../flows/http.ts";
import type { ResendContact } from "../flows/station.ts";
import type { ChaosStation } from "./chaos-station.ts";
import { type FoundLetter, takeDeadLetters } from "./dead-letters.ts";

const mail = z.object({
  id: z.string(),
  to: z.array(z.string()),
  kind: z.enum(["email", "batch", "broadcast"]),
  tags: z.array(z.object({ name: z.string(), value: z.string() })),
  idempotencyKey: z.string().nullable(),
  subject: z.string(),
});
export type SentMail = z.infer<typeof mail>;

const tableItem = z.looseObject({ pk: z.string(), sk: z.string() });
type TableItem = z.infer<typeof tableItem>;

const outcomeLine = z.object({
  message: z.literal("message.outcome"),
  queue: z.string(),
  envelopeId: z.string(),
  outcome: z.string(),
});

export interface SubscriptionRow {
  id: string;
  email: string;
  status: string;
  sync_status: string;
  engagement_score: number;
}

export interface DiscordMessage {
  webhook: string;
  embeds: { title: string; footer?: { text: string }; fields?: { name: string; value: string }[] }[];
}

/** All that can be seen of a seed once it is over. */
export interface Evidence {
  mails: SentMail[];
  contacts: ResendContact[];
  messages: DiscordMessage[];
  broadcasts: { name: string; status: string }[];
  revalidations: { paths: string[] }[];
  /** The state table's items that came into being in this seed. */
  items: TableItem[];
  /** Outcomes of each envelope, in order, as the functions logged them: `queue` and id. */
  outcomes: Map<string, string[]>;
  letters: FoundLetter[];
  subscriptions: SubscriptionRow[];
  /** Counts by event id. */
  interactions: Map<string, number>;
  emailEvents: { event_id: string; email: string; type: string }[];
  engagement: { email: string; emails_delivered: number; emails_opened: number; emails_clicked: number }[];
  webhooks: { dedupe_key: string; processed: boolean }[];
  outboxWaiting: number;
  jobs: { id: string; status: string; paid_at: Date | null; discord_message_id: string | null }[];
}

/** Collects evidence seed by seed; what earlier seeds left behind is not looked at again. */
export function createCollector(station: ChaosStation) {
  const dynamodb = new DynamoDBClient({
    endpoint: station.endpoints.dynamodb,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  const knownItems = new Set<string>();
  let readCharacters = 0;

  const stateOf = async <S extends z.ZodType>(
    vendor: "resend" | "discord" | "site",
    part: string,
    shape: S,
    fields = "",
  ) => {
    const query = `only=${part}${fields === "" ? "" : `&fields=${fields}`}`;
    const answer = (await send(`${station.vendors[vendor]}/_state?${query}`)).json();
    return z.array(shape).parse(answer[part]);
  };

  const newItems = async (): Promise<TableItem[]> => {
    const items: TableItem[] = [];
    for await (const { Items = [] } of paginateScan({ client: dynamodb }, { TableName: "prod-flux-state" })) {
      for (const raw of Items) {
        const item = tableItem.parse(unmarshall(raw));
        const key = `${item.pk}\n${item.sk}`;
        if (!knownItems.has(key)) items.push(item);
        knownItems.add(key);
      }
    }
    return items;
  };

  /** The log lines since the last time. */
  const newLines = async (): Promise<string[]> => {
    const text = await readFile(join(station.home, "station.log"), "utf8");
    const lines = text.slice(readCharacters).split("\n");
    readCharacters = text.length;
    return lines;
  };

  return {
    close: () => dynamodb.destroy(),
    async collect(seed: number): Promise<Evidence & { lines: string[] }> {
      const lines = await newLines();
      const outcomes = new Map<string, string[]>();
      for (const line of lines) {
        if (!line.includes('"message.outcome"')) continue;
        const { queue, envelopeId, outcome } = outcomeLine.parse(JSON.parse(line));
        const key = `${queue} ${envelopeId}`;
        outcomes.set(key, [...(outcomes.get(key) ?? []), outcome]);
      }
      const ours = (address: string | undefined) => new RegExp(`^s${seed}[rm]\\d`).test(address ?? "");
      const { sql } = station;
      const interactions = await sql<{ event_id: string; count: number }>(
        "select event_id, count(*)::integer as count from user_interactions group by 1",
      );
      const [waiting] = await sql<{ count: number }>(
        "select count(*)::integer as count from outbox where done_at is null",
      );
      const mails = await stateOf("resend", "outbox", mail, "id,to,kind,tags,idempotencyKey,subject");
      return {
        lines,
        outcomes,
        mails: mails.filter(({ to }) => ours(to[0])),
        contacts: (await station.contacts()).filter(({ email }) => ours(email)),
        messages: await station.vendorState<DiscordMessage>("discord", "messages"),
        broadcasts: await stateOf(
          "resend",
          "broadcasts",
          z.object({ name: z.string(), status: z.string() }),
          "name,status",
        ),
        revalidations: await stateOf("site", "revalidations", z.object({ paths: z.array(z.string()) })),
        items: await newItems(),
        letters: await takeDeadLetters(station),
        subscriptions: await sql(
          "select id, email, status, sync_status, engagement_score from newsletter_subscriptions",
        ),
        interactions: new Map(interactions.map(({ event_id, count }) => [event_id, count])),
        emailEvents: await sql("select event_id, email, type from email_events"),
        engagement: await sql(
          "select email, emails_delivered, emails_opened, emails_clicked from email_engagement_summary",
        ),
        webhooks: await sql("select dedupe_key, processed from webhook_events"),
        outboxWaiting: waiting?.count ?? 0,
        jobs: await sql("select id, status, paid_at, discord_message_id from jobs"),
      };
    },
  };
}

/** Makes what a seed left behind harmless for the next: nobody is subscribed, nothing waits. */
export async function cleanUp(station: ChaosStation): Promise<void> {
  await station.sql(`
    truncate newsletter_subscriptions, email_sequences, email_sequence_schedule, email_sequence_batches, email_events,
      email_engagement_summary, email_blocklist, webhook_events, user_interactions, search_queries, outbox, jobs,
      content_submissions, users, segment_sync_evidence, job_payment_events, notifications cascade;
    delete from content where slug ~ '^s[0-9]+-';
    truncate outbox;
  `);
  const { resendApiKey = "" } = await station.changeSecret({});
  await station.faults({ limit: 10_000 });
  for (const { id } of await station.contacts())
    await send(`${station.vendors.resend}/contacts/${id}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${resendApiKey}` },
    });
}
