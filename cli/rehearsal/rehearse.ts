import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import { z } from "zod";
import { envelopeOf } from "../../lambdas/core/messages.ts";
import { Deferred, InvalidInput, PermanentFailure } from "../../lambdas/core/outcome.ts";
import type { QueueName } from "../../registry/queues.ts";
import { diffContract, type Violation } from "../dlq/contract-diff.ts";
import type { Target } from "../target.ts";
import { createJournal, type Journal, RehearsalEnds, type Step } from "./journal.ts";

/** How a rehearsal ended, in the words of the worker's outcomes where it went that far. */
export interface Rehearsed {
  outcome: "done" | "suppressed" | "parked" | "deferred" | "failing" | "invalid" | "open";
  detail: string;
  violations: Violation[];
  steps: Step[];
}

/** Runs a message through today's handler of its queue with every effect left out. */
export async function rehearse<Q extends QueueName>(target: Target, queue: Q, body: string): Promise<Rehearsed> {
  const { violations } = diffContract(queue, body);
  const journal = createJournal();
  const ended = (outcome: Rehearsed["outcome"], detail: string): Rehearsed => ({
    outcome,
    detail,
    violations,
    steps: journal.steps,
  });
  if (violations.length > 0) return ended("invalid", "It breaks today's contract, so the worker would dead-letter it.");
  const message = envelopeOf(queue).parse(JSON.parse(body));
  const { rehearsedHandlers } = await importingTemplates(() => import("./handlers.ts"));
  const handlers = await rehearsedHandlers(target, journal);
  const handle = await handlers[queue]();
  try {
    const outcome = await hearingLogs(journal, target.stage, () => handle(message));
    return ended(outcome, "The handler came to its end.");
  } catch (error) {
    if (!(error instanceof Error)) return ended("failing", String(error));
    const detail = `${error.name}: ${error.message}`;
    if (error instanceof RehearsalEnds) return ended("open", error.message);
    if (error instanceof InvalidInput || error instanceof PermanentFailure) return ended("invalid", detail);
    return ended(error instanceof Deferred ? "deferred" : "failing", detail);
  }
}

/** Node runs TypeScript as it is, but for the JSX of the mails' templates. */
async function importingTemplates<T>(load: () => Promise<T>): Promise<T> {
  const hooks = registerHooks({
    load(url, context, next) {
      if (!url.endsWith(".tsx")) return next(url, context);
      const { code } = transformSync(readFileSync(fileURLToPath(url), "utf8"), { loader: "tsx", jsx: "automatic" });
      return { format: "module", source: code, shortCircuit: true };
    },
  });
  try {
    return await load();
  } finally {
    hooks.deregister();
  }
}

const logLine = z.looseObject({ level: z.string(), message: z.string() });
const everyLine = new Set(["level", "message", "timestamp", "service", "sampling_rate", "xray_trace_id"]);

/** What the handler logs belongs to what it would do; on the screen as it comes it would drown the rest. */
async function hearingLogs<T>(journal: Journal, stage: string, work: () => Promise<T>): Promise<T> {
  // In this mode the logger writes to the console and metrics stay away.
  Object.assign(process.env, { POWERTOOLS_DEV: "true", STATION_STAGE: stage });
  const methods = ["debug", "info", "warn", "error", "log"] as const;
  const kept = methods.map((method) => [method, console[method]] as const);
  const hear = (line: unknown) => {
    const { data } = logLine.safeParse(parseJson(line));
    if (data)
      journal.logged(data.message, Object.fromEntries(Object.entries(data).filter(([key]) => !everyLine.has(key))));
  };
  for (const method of methods) console[method] = hear;
  try {
    return await work();
  } finally {
    for (const [method, original] of kept) console[method] = original;
  }
}

function parseJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}
