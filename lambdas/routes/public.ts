import { readProvidersDown } from "../runtime/breaker.ts";
import { deadLetterUrl, queueUrl, station } from "../runtime/configuration.ts";
import { lazy } from "../runtime/lazy.ts";
import { createMessageSender } from "../runtime/message-sender.ts";
import { createQueueInspector } from "../runtime/queue-inspector.ts";
import { now, realSupabase, realTable } from "../runtime/real-parts.ts";
import { createZone } from "./door/zone.ts";
import { emailContact } from "./email-contact.ts";
import { emailCount } from "./email-count.ts";
import { emailSubscribe } from "./email-subscribe.ts";
import { emailUnsubscribe, unsubscribeProblem } from "./email-unsubscribe.ts";
import { health } from "./health.ts";
import { realDoor } from "./real-door.ts";

/** Routes that anyone may call. */
export const handler = createZone(async () => {
  const table = realTable();
  const sender = createMessageSender(queueUrl);
  const { brand, senders } = station.config;
  return {
    ...realDoor(table),
    problemPages: { "email-unsubscribe": unsubscribeProblem(brand) },
    routes: {
      "email-subscribe": lazy(async () => emailSubscribe({ sender, now })),
      "email-unsubscribe": lazy(async () => emailUnsubscribe({ sender, brand, now })),
      "email-count": lazy(async () => emailCount({ supabase: await realSupabase(), now })),
      "email-contact": lazy(async () =>
        emailContact({ supabase: await realSupabase(), sender, team: senders.team, now }),
      ),
      health: lazy(async () =>
        health({
          inspector: createQueueInspector({ urlOf: queueUrl, deadLetterUrlOf: deadLetterUrl, table }),
          providersDown: () => readProvidersDown(table, now),
        }),
      ),
    },
  };
});
