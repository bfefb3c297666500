import { Resend } from "resend";
import { afterAll, afterEach, expect } from "vitest";
import type { Exchange } from "../../local/vendors/recording.ts";
import { type ResendOptions, startResend } from "../../local/vendors/resend/server.ts";
import type { StandIn } from "../../local/vendors/stand-in.ts";
import { checkRecording } from "./openapi.ts";

export const API_KEY = "re_local_contract";

/** A clock that stands until it is told to go on. */
export function createClock(start = Date.parse("2026-03-02T09:00:00Z")) {
  let at = start;
  return {
    now: () => at,
    advance: (ms: number) => {
      at += ms;
    },
  };
}

export type TestMail = {
  id: string;
  at: string;
  to: string[];
  subject: string;
  html: string | null;
  text: string | null;
  headers: Record<string, string>;
  tags: { name: string; value: string }[];
  kind: string;
  idempotencyKey: string | null;
  broadcastId?: string;
};

/** What `/_state` answers, as far as the tests look into it. */
export type TestState = {
  contacts: { firstName: string | null; segments: string[]; unsubscribed: boolean }[];
  broadcasts: { id: string; status: string }[];
  suppressions: object[];
  events: object[];
  outbox: TestMail[];
};

/**
 * Starts Resend's stand-in for one test file and gives the real SDK pointed at it. What passes between the two is
 * held against Resend's published OpenAPI when the file is done.
 */
export function prepareResend() {
  const exchanges: Exchange[] = [];
  const running: StandIn[] = [];

  afterEach(async () => {
    await Promise.all(running.splice(0).map((standIn) => standIn.close()));
  });

  afterAll(() => {
    const { checked, findings, skipped } = checkRecording(exchanges);
    if (skipped) process.stderr.write(`OpenAPI check skipped: ${skipped}\n`);
    else expect(checked).toBe(exchanges.length);
    expect(findings).toEqual([]);
  });

  async function start(options: Partial<ResendOptions> = {}) {
    const clock = createClock();
    const standIn = await startResend({
      apiKey: API_KEY,
      now: clock.now,
      // Most tests are about something else than the rate limit, and their clock stands.
      limit: 10_000,
      record: (exchange) => exchanges.push(exchange),
      ...options,
    });
    running.push(standIn);
    const read = async (path: string) => (await (await fetch(standIn.url + path)).json()) as TestState;
    return {
      clock,
      url: standIn.url,
      close: standIn.close,
      exchanges,
      resend: new Resend(API_KEY, { baseUrl: standIn.url }),
      setFaults: (faults: object) => fetch(`${standIn.url}/_faults`, { method: "PUT", body: JSON.stringify(faults) }),
      state: () => read("/_state"),
      outbox: async () => (await read("/_state?only=outbox")).outbox,
    };
  }

  return { start };
}

export const LETTER = {
  from: "Directory <hello@example.com>",
  to: "ada@example.com",
  subject: "Welcome",
  html: "<p>Hello</p>",
};
