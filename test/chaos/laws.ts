import { z } from "zod";
import { segmentForScore } from "../../lambdas/core/engagement.ts";
import { messageId } from "../../lambdas/core/messages.ts";
import { config } from "../../station.config.ts";
import type { Evidence, SentMail } from "./evidence.ts";
import { interactionsOf, type PlayedSeed } from "./play-seed.ts";
import { weekOf } from "./seed-plan.ts";

/** A promise that was not kept, and for what. */
export interface Breach {
  law: "duplicated" | "lost" | "unsettled" | "disagrees";
  /** The business key, or whatever comes closest to one. */
  item: string;
  what: string;
}

export interface Judgement {
  breaches: Breach[];
  /** Mails that went out. */
  sent: number;
  /** Business keys of which nobody knows whether they were carried out; that is allowed, and visible. */
  parked: string[];
}

const ledgerItem = z.looseObject({
  key: z.string(),
  status: z.string(),
  firstAttemptMs: z.number().nullish(),
});
const claimItem = z.looseObject({ state: z.string(), mode: z.string() });
const batchItem = z.looseObject({ recipients: z.array(z.object({ email: z.string() })) });

const tagOf = ({ tags }: SentMail, wanted: string) => tags.find(({ name }) => name === wanted)?.value;

/** What a mail is to its reader: there is to be one of each. */
export function businessItem(mail: SentMail): string {
  const to = mail.to[0] ?? "";
  if (mail.kind === "broadcast" || tagOf(mail, "type") === "weekly_digest") return `digest/${to}`;
  if (tagOf(mail, "type") === "newsletter") return `welcome/${to}`;
  if (tagOf(mail, "template") === "onboarding_sequence") return `sequence/${tagOf(mail, "step")}/${to}`;
  return mail.idempotencyKey ?? `unkeyed/${mail.id}`;
}

/** Holds what happened in a seed against what the station promises. */
export function judge(played: PlayedSeed, evidence: Evidence): Judgement {
  const facts = factsOf(played, evidence);
  const breaches = [
    ...sentOnce(facts),
    ...everythingAccepted(facts),
    ...orderedMails(facts),
    ...readersServed(facts),
    ...digestServed(facts),
    ...ledgerSettled(facts),
    ...segmentsRight(facts),
    ...directoryFollowed(facts),
    ...webhooksApplied(facts),
    ...messagesEnded(facts),
  ];
  return { breaches, sent: evidence.mails.length, parked: [...facts.parked] };
}

interface Facts {
  played: PlayedSeed;
  evidence: Evidence;
  /** How many mails there are of each business item. */
  sentOf: Map<string, number>;
  ledger: Map<string, z.infer<typeof ledgerItem>>;
  parked: Set<string>;
  /** Ids of envelopes that are dead and say so. */
  dead: Set<string>;
}

function factsOf(played: PlayedSeed, evidence: Evidence): Facts {
  const records = evidence.items.filter(({ pk }) => pk.startsWith("ledger#")).map((item) => ledgerItem.parse(item));
  const sentOf = new Map<string, number>();
  for (const mail of evidence.mails) sentOf.set(businessItem(mail), (sentOf.get(businessItem(mail)) ?? 0) + 1);
  const dead = [...evidence.letters, ...played.deadForGood].flatMap(({ body }) => envelopeIdOf(body) ?? []);
  return {
    played,
    evidence,
    sentOf,
    ledger: new Map(records.map((record) => [record.key, record])),
    parked: new Set(records.filter(({ status }) => status === "parked").map(({ key }) => key)),
    dead: new Set(dead),
  };
}

function envelopeIdOf(body: string): string | undefined {
  const parsed = z.looseObject({ id: z.string() }).safeParse(JSON.parse(body));
  return parsed.data?.id;
}

function sentOnce({ sentOf }: Facts): Breach[] {
  return [...sentOf]
    .filter(([, count]) => count > 1)
    .map(([item, count]) => ({ law: "duplicated", item, what: `${count} mails went out instead of one` }));
}

/** The callers got through in the end, and heard the same whenever they asked again. */
function everythingAccepted({ played: { callers } }: Facts): Breach[] {
  return callers.offers().flatMap(({ path, accepted, answers }): Breach[] => {
    if (!accepted) return [{ law: "lost", item: path, what: "the station never accepted the request" }];
    const ids = new Set(answers.map(({ text }) => /"id":"([^"]+)"/.exec(text)?.[1]));
    return ids.size > 1 ? [{ law: "disagrees", item: path, what: "a repetition got another answer" }] : [];
  });
}

function orderedMails({ played: { plan }, sentOf, parked, dead }: Facts): Breach[] {
  return plan.ordered
    .filter(({ ledgerKey }) => !sentOf.has(ledgerKey) && !parked.has(ledgerKey))
    .filter(({ ledgerKey }) => !dead.has(messageId("email", ledgerKey)))
    .map(({ ledgerKey, to }) => ({ law: "lost", item: ledgerKey, what: `${to} never got the mail` }));
}

const sequenceSteps = [2, 3];

function readersServed({ played: { plan, leavers }, evidence, sentOf, parked }: Facts): Breach[] {
  const rows = new Map(evidence.subscriptions.map((row) => [row.email, row]));
  const sequenceParked = [...parked].some((key) => key.startsWith("sequence/"));
  return plan.readers.flatMap(({ email, id }): Breach[] => {
    const row = rows.get(email);
    const lost = (what: string): Breach => ({ law: "lost", item: `welcome/${id}`, what: `${email}: ${what}` });
    if (!row) return [lost("the subscription is not there")];
    if (leavers.has(email) && row.status === "active") return [lost("left and is still active")];
    if (row.status !== "active") return [];
    const welcomed = sentOf.has(`welcome/${email}`) || parked.has(`welcome/${id}`);
    const missing = sequenceParked ? [] : sequenceSteps.filter((step) => !sentOf.has(`sequence/${step}/${email}`));
    return [
      ...(welcomed ? [] : [lost("no welcome was sent")]),
      ...(row.sync_status === "synced" ? [] : [lost(`the contact is ${row.sync_status}`)]),
      ...missing.map((step) => ({ ...lost("it was never sent"), item: `sequence/${step}/${email}` })),
    ];
  });
}

function digestServed({ played: { plan, digestEnd }, evidence, sentOf, parked }: Facts): Breach[] {
  const week = weekOf(plan.digest);
  const item = `digest/${week}`;
  const found = evidence.items.find(({ pk, sk }) => pk === `digest#${week}` && sk === "claim");
  const claim = found && claimItem.parse(found);
  if (claim?.state !== "sent")
    return [{ law: "lost", item, what: `the week is ${claim?.state ?? "unclaimed"}, its last run ended ${digestEnd}` }];
  if (claim.mode === "broadcast") {
    const ours = evidence.broadcasts.filter(({ name }) => name.endsWith(`weekly-digest ${week}`));
    const sent = ours.filter(({ status }) => status === "sent").length;
    if (sent !== 1) return [{ law: sent > 1 ? "duplicated" : "lost", item, what: `${sent} broadcasts were sent` }];
    return [];
  }
  return evidence.items
    .filter(({ pk, sk }) => pk === `digest#${week}` && sk.startsWith("batch#"))
    .flatMap((batch): Breach[] => {
      const key = `digest/${week}/${Number(batch.sk.split("#")[1])}`;
      if (parked.has(key)) return [];
      return batchItem
        .parse(batch)
        .recipients.filter(({ email }) => !sentOf.has(`digest/${email}`))
        .map(({ email }) => ({ law: "lost", item: key, what: `${email} is in the batch and got no digest` }));
    });
}

const taken = new Set(["accepted", "delivered", "bounced", "complained"]);

/** At rest every key is decided or parked, and the ledger says what Resend did. */
function ledgerSettled({ evidence, ledger, played }: Facts): Breach[] {
  const sentKeys = new Set(evidence.mails.flatMap(({ idempotencyKey }) => idempotencyKey ?? []));
  const inactive = new Set(evidence.subscriptions.filter(({ status }) => status !== "active").map(({ id }) => id));
  const fromLedger = [...ledger.values()].flatMap(({ key, status, firstAttemptMs }): Breach[] => {
    const isMail = !key.startsWith("discord/");
    // Claimed and never tried: whoever it was for has left since.
    const given = status === "claimed" && !firstAttemptMs && inactive.has(key.replace("welcome/", ""));
    if ((status === "claimed" || status === "sending") && !given)
      return [{ law: "unsettled", item: key, what: `its record is still ${status}` }];
    if (isMail && taken.has(status) && !sentKeys.has(key))
      return [{ law: "disagrees", item: key, what: `its record is ${status}, and no mail went out` }];
    if (status === "parked" && !wasAmbiguous(played, key))
      return [{ law: "lost", item: key, what: "it was parked although no attempt had an unknown end" }];
    return [];
  });
  const fromOutbox = [...sentKeys].flatMap((key): Breach[] => {
    const status = ledger.get(key)?.status;
    if (status && (taken.has(status) || status === "parked")) return [];
    return [{ law: "disagrees", item: key, what: `a mail went out, and its record is ${status ?? "not there"}` }];
  });
  return [...fromLedger, ...fromOutbox];
}

/** Whether an attempt at the key was cut off between leaving and its record. */
function wasAmbiguous({ webhooks }: PlayedSeed, key: string): boolean {
  return webhooks.events().some((event) => {
    if (event.kind === "kill") return true;
    if (event.kind !== "fault") return false;
    return event.item.includes(key) || event.service === "discord" || event.service === "dynamodb";
  });
}

const managed = new Map(Object.entries(config.resend.segments).filter(([name]) => name.endsWith("-engagement")));

/** Our consent is Resend's, and whoever is active is in the one engagement segment of their score. */
function segmentsRight({ evidence }: Facts): Breach[] {
  const contacts = new Map(evidence.contacts.map((contact) => [contact.email, contact]));
  return evidence.subscriptions.flatMap(
    ({ id: subscription, email, status, sync_status, engagement_score }): Breach[] => {
      const contact = contacts.get(email);
      const disagrees = (what: string): Breach[] => [
        { law: "disagrees", item: `segment/${email}/${subscription}`, what },
      ];
      if (status !== "active") return contact && !contact.unsubscribed ? disagrees("left here, not at Resend") : [];
      if (sync_status !== "synced") return [];
      if (!contact) return disagrees("synced, and Resend does not know the contact");
      if (contact.unsubscribed) return disagrees("active here, unsubscribed at Resend");
      const found = [...managed].filter(([, id]) => contact.segments.includes(id)).map(([name]) => name);
      const wanted = segmentForScore(engagement_score);
      if (found.length === 1 && found[0] === wanted) return [];
      return disagrees(`score ${engagement_score}, in ${found.join(" and ") || "no segment"} instead of ${wanted}`);
    },
  );
}

function directoryFollowed({ played: { plan }, evidence, parked }: Facts): Breach[] {
  const { messages, revalidations, jobs, interactions, outboxWaiting } = evidence;
  const posts = plan.jobs.flatMap(({ id, salary, paid }): Breach[] => {
    const key = `discord/job/${id}`;
    const found = messages.filter(({ embeds }) => embeds[0]?.footer?.text === `Job ${id.slice(0, 8)}`);
    if (found.length > 1) return [{ law: "duplicated", item: key, what: `${found.length} messages on Discord` }];
    const row = jobs.find((job) => job.id === id);
    const unpaid: Breach[] =
      paid && (row?.status !== "active" || !row.paid_at)
        ? [{ law: "lost", item: `job/${id}`, what: "it was paid for and is not online" }]
        : [];
    if (parked.has(key)) return unpaid;
    const values = found[0]?.embeds[0]?.fields?.map(({ value }) => value) ?? [];
    if (found.length === 0) return [...unpaid, { law: "lost", item: key, what: "no message on Discord" }];
    if (!values.includes(salary) || (paid && !values.includes("Active")))
      return [...unpaid, { law: "disagrees", item: key, what: `its message says ${values.join(", ")}` }];
    return unpaid;
  });
  const submissions = plan.submissions.flatMap((id): Breach[] => {
    const key = `discord/submission/${id}`;
    const found = messages.filter(({ embeds }) => embeds[0]?.footer?.text === `Submission ${id.slice(0, 8)}`);
    if (found.length === 1 || (found.length === 0 && parked.has(key))) return [];
    const law = found.length > 1 ? "duplicated" : "lost";
    return [{ law, item: key, what: `${found.length} messages on Discord` }];
  });
  const pages = plan.entries
    .filter(({ slug }) => !revalidations.some(({ paths }) => paths.includes(`/guides/${slug}`)))
    .map(({ slug }): Breach => ({ law: "lost", item: `revalidation/${slug}`, what: "its page was never made stale" }));
  const pulses = interactionsOf(plan)
    .filter(({ event_id }) => interactions.get(event_id) !== 1)
    .map(({ event_id }): Breach => {
      const count = interactions.get(event_id) ?? 0;
      return { law: count > 1 ? "duplicated" : "lost", item: `pulse/${event_id}`, what: `${count} rows` };
    });
  const waiting: Breach[] =
    outboxWaiting > 0 ? [{ law: "lost", item: "outbox", what: `${outboxWaiting} rows were never sent` }] : [];
  return [...posts, ...submissions, ...pages, ...pulses, ...waiting];
}

/** Every event that was told was applied once, whatever the order. */
function webhooksApplied({ played: { webhooks }, evidence }: Facts): Breach[] {
  const rows = new Map(evidence.webhooks.map(({ dedupe_key, processed }) => [dedupe_key, processed]));
  const applied = new Map<string, number>();
  for (const { event_id } of evidence.emailEvents) applied.set(event_id, (applied.get(event_id) ?? 0) + 1);
  const breaches = webhooks.told().flatMap(({ id, type, to }): Breach[] => {
    const item = `${type} of ${to} (${id})`;
    if (rows.get(id) !== true)
      return [{ law: "lost", item, what: rows.has(id) ? "stored and not processed" : "not stored" }];
    const times = applied.get(id) ?? 0;
    if (times === 1) return [];
    return [{ law: times > 1 ? "duplicated" : "lost", item, what: `applied ${times} times` }];
  });
  const toldOf = (email: string, type: string) =>
    webhooks.told().filter((event) => event.to === email && event.type === type).length;
  const counts = evidence.engagement.flatMap(({ email, emails_delivered, emails_opened, emails_clicked }): Breach[] => {
    const wanted = ["email.delivered", "email.opened", "email.clicked"].map((type) => toldOf(email, type));
    const found = [emails_delivered, emails_opened, emails_clicked];
    if (String(wanted) === String(found)) return [];
    return [{ law: "disagrees", item: `engagement/${email}`, what: `counted ${found}, told ${wanted}` }];
  });
  return [...breaches, ...counts];
}

const final = new Set(["done", "suppressed", "parked", "invalid"]);

/** Received = done + suppressed + parked + dead: no message's last word is that it failed or waits. */
function messagesEnded({ played, evidence, dead }: Facts): Breach[] {
  const open = [...evidence.outcomes]
    .filter(([key, outcomes]) => !outcomes.some((outcome) => final.has(outcome)) && !dead.has(key.split(" ")[1] ?? ""))
    .map(([key, outcomes]): Breach => ({ law: "lost", item: key, what: `it ended ${outcomes.join(", ")}` }));
  const left = Object.entries(played.left).map(
    ([what, amount]): Breach => ({ law: "unsettled", item: what, what: `${amount} left at the end` }),
  );
  const letters = evidence.letters.map(
    ({ queue, body, reason }): Breach => ({
      law: "lost",
      item: `${queue} ${envelopeIdOf(body)}`,
      what: `dead although nothing failed any more: ${reason || "no reason"}`,
    }),
  );
  return [...open, ...left, ...letters];
}
