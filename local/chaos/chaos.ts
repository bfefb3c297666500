import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { SQSRecord } from "aws-lambda";
import { build } from "esbuild";
import { Hono } from "hono";
import { z } from "zod";
import type { LambdaHostOptions } from "../aws/lambda/lambda-host.ts";
import type { ThreadHookModule } from "../aws/lambda/thread-messages.ts";
import type { Clock } from "../clock.ts";
import type { RunningStack } from "../running-stack.ts";
import { field, parsed, text } from "./classify-call.ts";
import { type Repetition, repetitionOf } from "./fault-plan.ts";
import { chaosMemory, createChaosBuffer } from "./memory.ts";
import { settle } from "./settle.ts";

/** What a running stack is given to fail by. */
export interface StackDisturbance {
  lambda: Pick<LambdaHostOptions, "threadUrl" | "functionConcurrency" | "accountConcurrency"> & {
    hooks: ThreadHookModule;
    onHook(told: unknown): void;
  };
  repetitionOf(record: SQSRecord, queueName: string): Repetition;
}

export interface Chaos {
  disturbance: StackDisturbance;
  /** What the sweep asks of the station: which seed to fail by, when to stop failing, and what happened. */
  routes(clock: Clock, stack: RunningStack): Hono;
}

const beginWish = z.object({ seed: z.int().min(1), mutant: z.int().min(0).default(0) });
const disturbWish = z.object({ on: z.boolean() });
const settleWish = z.object({ rounds: z.int().min(0) });
const skipWish = z.object({ ms: z.int().min(0) });

/**
 * Functions die all the time, so their threads start all the time: bundled, they take two thirds of it. Answers the
 * folder with both modules.
 */
async function bundleThread(folder: string): Promise<URL> {
  const outdir = join(folder, "thread");
  await build({
    entryPoints: ["../aws/lambda/execution-thread.ts", "./thread-hooks.ts"].map((path) =>
      join(import.meta.dirname, path),
    ),
    outdir,
    outbase: join(import.meta.dirname, ".."),
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    logLevel: "warning",
  });
  return pathToFileURL(`${outdir}/`);
}

/** The failing part of a station that was started for chaos. It fails nothing until a seed begins. */
export async function createChaos(home: string): Promise<Chaos> {
  const thread = await bundleThread(home);
  const memory = chaosMemory(createChaosBuffer());
  let events: unknown[] = [];
  let repeated = 0;

  return {
    disturbance: {
      lambda: {
        threadUrl: new URL("aws/lambda/execution-thread.mjs", thread),
        hooks: { url: new URL("chaos/thread-hooks.mjs", thread).href, data: { buffer: memory.buffer } },
        onHook: (told) => {
          events.push(told);
        },
        // Three batches of messages meet often enough, and each further thread is a cold start.
        functionConcurrency: 3,
        // All functions are busy at once.
        accountConcurrency: 100,
      },
      repetitionOf(record, queueName) {
        if (!memory.disturbing()) return "never";
        const item = text(field(parsed(record.body), "businessKey")) || "broken";
        const repetition = repetitionOf(memory.seed(), queueName, item, memory.count(`${queueName}/${item}`));
        if (repetition !== "never") repeated += 1;
        return repetition;
      },
    },
    routes: (clock, stack) =>
      new Hono()
        .post("/begin", async (context) => {
          const { seed, mutant } = beginWish.parse(await context.req.json());
          memory.begin(seed, mutant);
          memory.setDisturbing(true);
          events = [];
          repeated = 0;
          return context.json({ now: clock.now() });
        })
        .post("/disturb", async (context) => {
          memory.setDisturbing(disturbWish.parse(await context.req.json()).on);
          return context.json({ now: clock.now() });
        })
        .post("/skip", async (context) => {
          clock.advance(skipWish.parse(await context.req.json()).ms);
          stack.scheduler.skipTo(clock.now());
          return context.json({ now: clock.now() });
        })
        .post("/settle", async (context) => {
          const { rounds } = settleWish.parse(await context.req.json());
          const left = await settle({ clock, stack }, rounds);
          return context.json({ now: clock.now(), left });
        })
        .get("/events", (context) =>
          context.json({
            events: events.slice(Number(context.req.query("after") ?? 0)),
            repeated,
            coldStarts: memory.coldStarts(),
            now: clock.now(),
          }),
        ),
  };
}
