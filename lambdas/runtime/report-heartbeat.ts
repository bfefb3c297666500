import * as z from "zod";
import type { HeartbeatProvider } from "../providers/heartbeat.ts";
import { describeError, log } from "./logger.ts";
import { signal } from "./metrics.ts";
import type { Task } from "./task.ts";

const report = z.object({ worked: z.boolean() });

/** Tells the uptime monitor how a scheduled run ended. A monitor that cannot be reached must not fail the run. */
export const reportHeartbeat =
  ({ heartbeat, heartbeatId }: { heartbeat: HeartbeatProvider; heartbeatId: string | undefined }): Task =>
  async (input) => {
    const { worked } = report.parse(input);
    if (!heartbeatId) {
      log.info("heartbeat.not-configured", { worked });
      return { told: false };
    }
    try {
      await heartbeat.beat(heartbeatId, worked);
      return { told: true };
    } catch (error) {
      signal("heartbeat-failed", { worked, ...describeError(error) });
      return { told: false };
    }
  };
