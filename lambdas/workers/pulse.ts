import * as z from "zod";
import { segmentForScore } from "../core/engagement.ts";
import { type Envelope, makeEnvelope, type Payload } from "../core/messages.ts";
import { InvalidInput, PermanentFailure, type Settled } from "../core/outcome.ts";
import type { Flags } from "../providers/flags.ts";
import type { SupabaseProvider } from "../providers/supabase.ts";
import { coalesce } from "../runtime/coalesce.ts";
import { queueUrl } from "../runtime/configuration.ts";
import { createMessageSender, type MessageSender } from "../runtime/message-sender.ts";
import { now, realFlags, realSupabase, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

interface PulseParts {
  supabase: SupabaseProvider;
  sender: MessageSender;
  flags: Flags;
  now: () => number;
}

type Pulse = Envelope<Payload<"pulse">>;

const inserted = z.object({
  errors: z.array(z.object({ index: z.int(), error: z.string() })),
  touched: z.array(
    z.object({
      subscription_id: z.uuid(),
      /** Null when the event was counted by an earlier attempt, which may have died before it told anyone. */
      score_before: z.number().nullable(),
      score_after: z.number(),
    }),
  ),
});

/** Stores interactions, a whole batch in one call but each judged apart, and passes changed contacts on. */
export function createPulseHandler(parts: PulseParts) {
  const store = coalesce(async (messages: Pulse[]) =>
    (await parts.flags.isOn("pulse-one-by-one")) ? storeEach(parts, messages) : storeApart(parts, messages),
  );
  return async (message: Pulse): Promise<Settled> => {
    const { error } = await store(message);
    if (error !== null) throw new InvalidInput(`Interaction ${message.id} was refused by the database: ${error}`);
    return "done";
  };
}

type Stored = { error: string | null };

/** When the database refuses the call as a whole, one message is to blame: alone, it cannot take the others with it. */
async function storeApart(parts: PulseParts, messages: Pulse[]): Promise<Stored[]> {
  try {
    return await storeInteractions(parts, messages);
  } catch (error) {
    if (!(error instanceof InvalidInput || error instanceof PermanentFailure)) throw error;
    if (messages.length === 1) return [{ error: error.message }];
    return storeEach(parts, messages);
  }
}

async function storeEach(parts: PulseParts, messages: Pulse[]): Promise<Stored[]> {
  const stored: Stored[] = [];
  for (const message of messages) stored.push(...(await storeApart(parts, [message])));
  return stored;
}

async function storeInteractions({ supabase, sender, now }: PulseParts, messages: Pulse[]): Promise<Stored[]> {
  const { errors, touched } = await supabase.call(
    "batch_insert_user_interactions",
    {
      p_interactions: messages.map(({ id, payload }) => ({ ...payload, event_id: payload.event_id ?? id })),
      p_now: new Date(now()).toISOString(),
    },
    inserted,
  );
  const [first] = messages;
  const moved = touched.filter(
    ({ score_before, score_after }) =>
      score_before === null || segmentForScore(score_before) !== segmentForScore(score_after),
  );
  const envelopes = moved.map(({ subscription_id: subscriptionId }) =>
    makeEnvelope(
      "segment-sync",
      { subscriptionId },
      { businessKey: subscriptionId, correlationId: first?.correlationId ?? subscriptionId, nowMs: now() },
    ),
  );
  const refused = await sender.sendAll("segment-sync", envelopes);
  if (refused.length > 0)
    throw new Error(`${refused.length} of ${envelopes.length} segment changes were not queued: ${refused[0]?.reason}`);
  return messages.map((_, index) => ({ error: errors.find((failed) => failed.index === index)?.error ?? null }));
}

export const handler = createWorker("pulse", async () => ({
  table: realTable(),
  now,
  handle: createPulseHandler({
    supabase: await realSupabase(),
    sender: createMessageSender(queueUrl),
    flags: await realFlags(),
    now,
  }),
}));
