import { z } from "zod";

/** What a worker process is told, as JSON in its first argument. */
export const workerTask = z.object({
  tableUrl: z.string(),
  resendUrl: z.string(),
  seed: z.number(),
  urgency: z.enum(["urgent", "bulk"]),
  /** Calls it makes at a time. */
  inHand: z.number(),
  /** Longest pause between two calls; 0 asks for the next at once. */
  pauseMs: z.number(),
  /** Each call is held back for up to this long after the pacer let it through. */
  jitterMs: z.number(),
});
export type WorkerTask = z.infer<typeof workerTask>;

/** What a child process says. */
export const fromChild = z.union([
  z.object({ ready: z.string() }),
  z.object({
    /** For each call that the pacer let through: when it asked, and how long it waited. */
    waits: z.array(z.object({ askedMs: z.number(), waitedMs: z.number() })),
    /** Calls that the pacer put off, as it does after 20 seconds. */
    deferred: z.number(),
    /** How late the process was at most with a call that was let through. */
    stallMs: z.number(),
    /** Messages of calls that failed otherwise than by the rate limit. */
    failures: z.array(z.string()),
  }),
]);
export type WorkerReport = Extract<z.infer<typeof fromChild>, { waits: unknown }>;

/** What the parent says. */
export const fromParent = z.enum(["go", "stop"]);
