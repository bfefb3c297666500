import { lazy } from "../runtime/lazy.ts";
import { now, realSupabase, realTable } from "../runtime/real-parts.ts";
import { createZone } from "./door/zone.ts";
import { activeNotifications, dismissNotifications } from "./notifications.ts";
import { realDoor } from "./real-door.ts";

/** Routes for signed-in users of the site. */
export const handler = createZone(async () => ({
  ...realDoor(realTable()),
  routes: {
    "active-notifications": lazy(async () => activeNotifications({ supabase: await realSupabase(), now })),
    "dismiss-notifications": lazy(async () => dismissNotifications({ supabase: await realSupabase(), now })),
  },
}));
