import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type ManagedSegment, segmentForScore } from "../../lambdas/core/engagement.ts";
import { makeEnvelope } from "../../lambdas/core/messages.ts";
import { createSubscriptionHandler } from "../../lambdas/workers/subscription.ts";
import { config } from "../../station.config.ts";

beforeAll(() => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
});
afterAll(() => {
  vi.unstubAllEnvs();
});

const subscriptionId = "3de09038-3466-4a3d-86fe-306a3f81f76e";
const nowMs = Date.parse("2026-11-24T09:00:00Z");
const refuse = (what: string) => () => {
  throw new Error(`nobody expected ${what}`);
};

/** Signs somebody up in the footer, whose first score is 55; answers what was done, in order. */
async function signUp({
  scoreNow,
  statusNow = "active",
  suppressed = false,
  syncFails = false,
}: {
  scoreNow: number;
  statusNow?: string;
  suppressed?: boolean;
  syncFails?: boolean;
}): Promise<string[]> {
  const done: string[] = [];
  const answers: Record<string, unknown> = {
    subscribe_newsletter: {
      subscription_id: subscriptionId,
      email: "ada@example.com",
      was_new: true,
      was_resubscribed: false,
      subscribed_at: new Date(nowMs).toISOString(),
      sync_status: "pending",
      engagement_score: scoreNow,
      suppressed,
    },
    get_subscription_engagement: { engagement_score: scoreNow, status: statusNow },
  };
  const handle = createSubscriptionHandler({
    supabase: {
      async call(name, args, answer) {
        if (name === "record_contact_sync") done.push(`record ${args.p_status}`);
        return answer.parse(answers[name] ?? null);
      },
    },
    resend: {
      acquire: async () => undefined,
      createContact: async ({ segmentIds }) => {
        const [name] = Object.entries(config.resend.segments).find(([, id]) => id === segmentIds[1]) ?? [];
        done.push(`create in ${name}`);
        return "contact-1";
      },
      sendMail: refuse("a mail"),
      sendMails: refuse("mails"),
      completeContact: refuse("a known contact"),
      async setUnsubscribed(_email, unsubscribed) {
        done.push(`unsubscribed ${unsubscribed}`);
      },
      listSegments: refuse("a list"),
      addToSegment: refuse("a move"),
      removeFromSegment: refuse("a move"),
      findBroadcast: refuse("a broadcast"),
      createBroadcast: refuse("a broadcast"),
      readBroadcast: refuse("a broadcast"),
      sendBroadcast: refuse("a broadcast"),
    },
    ledger: {
      send: async () => ({ outcome: "accepted", providerIds: ["mail-1"] }),
      read: refuse("a look at the ledger"),
      giveUp: async () => "suppressed",
      settle: refuse("an event"),
    },
    sender: {
      sendAll: refuse("many messages"),
      async send(queue) {
        if (queue === "segment-sync" && syncFails) throw new Error("SQS does not answer");
        if (queue === "segment-sync") done.push("tell of the segment");
      },
    },
    settings: {
      brand: config.brand,
      senders: config.senders,
      apiUrl: "https://api.example.com",
      unsubscribeKey: "key",
    },
    audience: config.resend,
    now: () => nowMs,
  });
  const message = makeEnvelope(
    "subscription",
    { kind: "subscribe", email: "ada@example.com", source: "footer" },
    { businessKey: "subscribe/1", correlationId: "c", nowMs },
  );
  await handle(message).catch((error: Error) => done.push(error.message));
  return done;
}

const initial: ManagedSegment = "medium-engagement";

test("a new contact whose score is still in the segment it was created in is not moved", async () => {
  expect(segmentForScore(55)).toBe(initial);
  expect(await signUp({ scoreNow: 55 })).toEqual([`create in ${initial}`, "record pending", "record synced"]);
});

// An earlier attempt may have created the contact and died: Resend then leaves it in the segment it is in.
test("a contact whose score moved on while nobody knew its id is created where it began, and moved", async () => {
  expect(await signUp({ scoreNow: 80 })).toEqual([
    `create in ${initial}`,
    "record pending",
    "tell of the segment",
    "record synced",
  ]);
});

test("a contact nobody could be told of is not synced, so that the next attempt tells of it", async () => {
  expect(await signUp({ scoreNow: 80, syncFails: true })).toEqual([
    `create in ${initial}`,
    "record pending",
    "SQS does not answer",
  ]);
});

// The opt-out found no contact at Resend, and then the contact was created after all.
test("whoever leaves while their contact is being created is opted out at Resend too", async () => {
  expect(await signUp({ scoreNow: 55, statusNow: "unsubscribed" })).toEqual([
    `create in ${initial}`,
    "record pending",
    "unsubscribed true",
    "record synced",
  ]);
});

// Its first attempt told Resend that they want mail, and failed before it could see that they had left meanwhile.
test("a wish that comes back after they left says so at Resend once more", async () => {
  expect(await signUp({ scoreNow: 55, suppressed: true })).toEqual(["unsubscribed true"]);
});
