import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { AcceptedMail, ChaosEvent } from "../../local/chaos/chaos-event.ts";
import { chance, hash32 } from "../../local/chaos/hash.ts";
import { send } from "../flows/http.ts";
import { signingFor } from "../flows/signing.ts";
import type { Callers } from "./callers.ts";
import type { ChaosStation } from "./chaos-station.ts";

/** An event that Resend has told the station of, once or several times. */
export interface ToldEvent {
  id: string;
  type: string;
  to: string;
  /** Only for bounces. */
  bounceType: string | null;
}

export interface ResendWebhooks {
  /** Tells of every mail that was accepted since the last time, in a shuffled order, some twice, some not yet. */
  tell(): Promise<void>;
  /** Tells what was held back. */
  tellRest(): Promise<void>;
  /** Goes on telling in the background until it is stopped. */
  start(): { stop(): Promise<void> };
  told(): readonly ToldEvent[];
  /** Everything that happened in the seed so far. */
  events(): readonly ChaosEvent[];
}

/** What becomes of a mail: it is delivered, and some are opened, bounce or annoy. */
function eventsOf(seed: number, { to, tags }: AcceptedMail): { type: string; bounceType: string | null }[] {
  const kind = tags.type ?? `${tags.template}/${tags.step}`;
  const dice = (what: string) => chance(`event/${seed}/${to}/${kind}/${what}`);
  const plain = (type: string) => ({ type, bounceType: null });
  if (kind !== "newsletter") return [plain("email.delivered")];
  const fate = dice("fate");
  if (fate < 0.06) return [{ type: "email.bounced", bounceType: "Permanent" }];
  if (fate < 0.12) return [plain("email.delivered"), plain("email.complained")];
  return [
    ...(dice("sent") < 0.3 ? [plain("email.sent")] : []),
    plain("email.delivered"),
    ...(dice("opened") < 0.4 ? [plain("email.opened")] : []),
    ...(dice("clicked") < 0.15 ? [plain("email.clicked")] : []),
  ];
}

const listed = z.object({
  outbox: z.array(
    z.object({
      id: z.string(),
      to: z.array(z.string()),
      kind: z.string(),
      tags: z.array(z.object({ name: z.string(), value: z.string() })),
    }),
  ),
});

/** The seed's mails as Resend has them. It tells nothing of broadcasts' mails that the station would know by a tag. */
async function acceptedMails(station: ChaosStation, seed: number): Promise<AcceptedMail[]> {
  const answer = await send(`${station.vendors.resend}/_state?only=outbox&fields=id,to,kind,tags`);
  return listed.parse(answer.json()).outbox.flatMap(({ id, to: [to = ""], kind, tags }) => {
    if (kind === "broadcast" || !new RegExp(`^s${seed}[rm]`).test(to)) return [];
    return [{ id, to, tags: Object.fromEntries(tags.map(({ name, value }) => [name, value])) }];
  });
}

const lookMs = 300;
const heldBack = 0.25;
const toldTwice = 0.25;

export function createResendWebhooks(station: ChaosStation, callers: Callers, seed: number): ResendWebhooks {
  const sign = signingFor(station);
  const told: ToldEvent[] = [];
  const held: (() => Promise<void>)[] = [];
  const seen = new Set<string>();
  const happened: ChaosEvent[] = [];

  const deliver = async (mail: AcceptedMail, event: ToldEvent, firstMs: number) => {
    const body = JSON.stringify({
      type: event.type,
      created_at: new Date(firstMs).toISOString(),
      data: {
        email_id: mail.id,
        to: [mail.to],
        tags: mail.tags,
        ...(event.bounceType ? { bounce: { type: event.bounceType, message: "no such user" } } : {}),
      },
    });
    const request = async () => {
      const { now } = await station.events(happened.length);
      const signature = sign.resend({ body, id: event.id, atMs: now });
      return {
        method: "POST",
        body,
        headers: { "content-type": "application/json", "x-correlation-id": event.id, ...signature },
      };
    };
    const times = chance(`twice/${event.id}`) < toldTwice ? 2 : 1;
    for (let time = 0; time < times; time += 1) await callers.offer("/resend-events", request);
  };

  const noteMail = (mail: AcceptedMail, nowMs: number): (() => Promise<void>)[] => {
    const kind = `${mail.tags.type ?? ""}${mail.tags.step ?? ""}${mail.tags.ledger ?? ""}`;
    return eventsOf(seed, mail).flatMap(({ type, bounceType }) => {
      const id = `msg_s${seed}_${hash32(`${mail.to}/${kind}`)}_${type}`;
      if (seen.has(id)) return [];
      seen.add(id);
      const event: ToldEvent = { id, type, to: mail.to, bounceType };
      told.push(event);
      const work = () => deliver(mail, event, nowMs);
      if (chance(`held/${id}`) >= heldBack) return [work];
      held.push(work);
      return [];
    });
  };

  const tell = async () => {
    const { events, now } = await station.events(happened.length);
    happened.push(...events);
    const mails = events.flatMap((event) => (event.kind === "accepted" ? event.mails : []));
    const work = mails.flatMap((mail) => noteMail(mail, now));
    // Reversed: what happened last is told first.
    await Promise.all(work.reverse().map((deliverOne) => deliverOne()));
  };

  return {
    tell,
    told: () => told,
    events: () => happened,
    async tellRest() {
      await tell();
      // A function may have died by another message's fault while Resend took this one's mail: only Resend knows.
      const { now } = await station.events(happened.length);
      const untold = (await acceptedMails(station, seed)).flatMap((mail) => noteMail(mail, now));
      await Promise.all(untold.map((deliverOne) => deliverOne()));
      for (const work of held.splice(0)) await work();
    },
    start() {
      let stopped = false;
      const telling = (async () => {
        while (!stopped) {
          await tell();
          await sleep(lookMs);
        }
      })();
      return {
        async stop() {
          stopped = true;
          await telling;
        },
      };
    },
  };
}
