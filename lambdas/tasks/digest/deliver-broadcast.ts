import { ProviderRefused } from "../../core/provider-failure.ts";
import { renderEmail } from "../../emails/render.ts";
import { log } from "../../runtime/logger.ts";
import type { Task } from "../../runtime/task.ts";
import { claimedWeek, type DigestParts } from "./parts.ts";

/** Resend fills this in for each recipient of a broadcast. */
const unsubscribeVariable = "{{{RESEND_UNSUBSCRIBE_URL}}}";

/**
 * Sends the digest as one broadcast. Resend has no idempotency for broadcasts, so the order is what makes it safe:
 * find by name before create, record before send, send only a draft.
 */
export const deliverBroadcast =
  (parts: DigestParts): Task =>
  async (input, { execution }) => {
    const { week } = claimedWeek.parse(input);
    const { claims, resend, stage } = parts;
    // Stages may share a Resend team, and must not find each other's.
    const name = `${stage} weekly-digest ${week}`;
    const claim = await claims.advance(week, execution, {});
    const id = claim.broadcastId ?? (await resend.findBroadcast(name))?.id ?? (await create(parts, week, name));
    await claims.advance(week, execution, { broadcastId: id });
    if ((await resend.readBroadcast(id)).status === "draft") await send(parts, id);
    log.info("digest.broadcast", { week, broadcastId: id });
    return { done: true, broadcastId: id };
  };

async function create(
  { content, resend, settings, audience }: DigestParts,
  week: string,
  name: string,
): Promise<string> {
  const digest = await content.pinned(week);
  if (!digest) throw new Error(`The content of ${week} is not pinned; start the digest again.`);
  const { brand, senders } = settings;
  const mail = await renderEmail(
    { template: "weekly-digest", recipient: null, unsubscribeUrl: unsubscribeVariable, digest },
    brand,
  );
  return resend.createBroadcast({
    ...mail,
    name,
    from: senders.hello,
    segmentId: audience.segments.newsletter,
    topicId: audience.topics["weekly-digest"],
  });
}

/** A refusal of a broadcast that is no draft any more means that an earlier call, whose answer was lost, sent it. */
async function send({ resend }: DigestParts, id: string): Promise<void> {
  try {
    await resend.sendBroadcast(id);
  } catch (error) {
    if (error instanceof ProviderRefused && (await resend.readBroadcast(id)).status !== "draft") return;
    throw error;
  }
}
