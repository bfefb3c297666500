import { createResend, type Mail, type ResendProvider } from "../../lambdas/providers/resend.ts";
import type { Pacer } from "../../lambdas/runtime/pacer.ts";
import { type ResendOptions, startResend } from "../../local/vendors/resend/server.ts";

const apiKey = "re_local_unit";

/** Lets every call through and notes what it was told. */
export function createOpenPacer() {
  const told: { learned: number[]; pausedUntil: number[] } = { learned: [], pausedUntil: [] };
  const pacer: Pacer = {
    acquire: async () => {},
    learn: async (limit) => {
      told.learned.push(limit);
    },
    pause: async (untilMs) => {
      told.pausedUntil.push(untilMs);
    },
  };
  return { pacer, told };
}

/** Resend's stand-in, and our provider that speaks to it over HTTP. */
export async function startResendProvider(options: Partial<ResendOptions> & { now: () => number; timeoutMs?: number }) {
  const { timeoutMs: patienceMs = 10_000, ...vendor } = options;
  const standIn = await startResend({ apiKey, limit: 10_000, ...vendor });
  const { pacer, told } = createOpenPacer();
  /** A short `timeoutMs` is for calls that get no answer; on a busy machine others would run into it too. */
  const providerOf = ({ key = apiKey, timeoutMs = patienceMs } = {}): ResendProvider =>
    createResend({ apiKey: key, baseUrl: standIn.url, timeoutMs, pacer, now: options.now });
  const read = async <T>(path: string) => (await (await fetch(standIn.url + path)).json()) as T;
  return {
    resend: providerOf(),
    providerOf,
    told,
    close: standIn.close,
    setFaults: (faults: object) => fetch(`${standIn.url}/_faults`, { method: "PUT", body: JSON.stringify(faults) }),
    outbox: async () =>
      (await read<{ outbox: { to: string[]; subject: string }[] }>("/_state?only=outbox&fields=to,subject")).outbox,
    calls: async () => read<{ method: string; path: string; status: number | null }[]>("/_calls"),
  };
}

export const mailTo = (to: string, subject = "Welcome"): Mail => ({
  from: "Directory <hello@example.com>",
  to,
  subject,
  html: "<p>Hello</p>",
  text: "Hello",
  headers: {},
  tags: [{ name: "type", value: "newsletter" }],
});
