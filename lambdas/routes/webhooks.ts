import { queueUrl, station } from "../runtime/configuration.ts";
import { lazy } from "../runtime/lazy.ts";
import { createMessageSender } from "../runtime/message-sender.ts";
import { now, realTable } from "../runtime/real-parts.ts";
import { requestOf } from "./door/request.ts";
import { createZone, type ZoneHandler } from "./door/zone.ts";
import { emailWelcome } from "./email-welcome.ts";
import { poke } from "./poke.ts";
import { realDoor } from "./real-door.ts";
import { receiveWebhook } from "./receive-webhook.ts";
import { defaultRouteKey, placeUnmatched } from "./unmatched.ts";

const zone = createZone(async () => {
  const parts = { sender: createMessageSender(queueUrl), now };
  return {
    ...realDoor(realTable()),
    routes: {
      "email-welcome": lazy(async () => emailWelcome({ ...parts, supabaseUrl: station.config.supabaseUrl })),
      "embedding-webhook": lazy(async () => poke(parts)),
      "changelog-webhook": lazy(async () => receiveWebhook(parts)),
      webhooks: lazy(async () => receiveWebhook(parts)),
    },
  };
});

/** Routes for systems that sign what they send, and everything that matches no route. */
export const handler: ZoneHandler = async (event, context) => {
  if (event.routeKey !== defaultRouteKey) return zone(event, context);
  const request = requestOf(event);
  const place = placeUnmatched(request);
  return "reply" in place ? place.reply : zone({ ...event, routeKey: place.routeKey }, context);
};
