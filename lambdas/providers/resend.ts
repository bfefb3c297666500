import { type ErrorResponse, Resend, type Response } from "resend";
import type { ContactProperties } from "../../registry/contact-properties.ts";
import {
  IdempotencyMismatch,
  ProviderMisconfigured,
  ProviderRefused,
  ProviderUnavailable,
  QuotaExceeded,
  RateLimited,
} from "../core/provider-failure.ts";
import { acquireBehind, type Breaker } from "../runtime/breaker.ts";
import { correlationId, log } from "../runtime/logger.ts";
import type { Pacer, Urgency } from "../runtime/pacer.ts";

/** One mail as it goes to Resend; built the same way on every attempt. */
export interface Mail {
  from: string;
  to: string;
  /** Where an answer goes, when not to `from`. */
  replyTo?: string;
  subject: string;
  html: string;
  text: string;
  headers: Record<string, string>;
  tags: { name: string; value: string }[];
}

export interface ContactDetails {
  email: string;
  properties: ContactProperties;
  segmentIds: string[];
  topicIds: string[];
}

export interface Broadcast {
  id: string;
  status: string;
}

/**
 * Resend, as the station uses it. Every call waits for breaker and pacer, is aborted after its timeout, and throws one of
 * `core/provider-failure.ts`: the SDK itself neither waits, nor times out, nor throws.
 */
export interface ResendProvider {
  /** Waits for permission to make one call. */
  acquire(urgency: Urgency): Promise<void>;
  /** Sends one mail under an idempotency key; call `acquire` first. */
  sendMail(mail: Mail, idempotencyKey: string): Promise<string>;
  /**
   * Sends up to 100 mails in one call; call `acquire` first. Answers one id per mail, in order; null for a mail that
   * Resend found invalid, which does not stop the others.
   */
  sendMails(mails: Mail[], idempotencyKey: string): Promise<(string | null)[]>;
  /** Creates the contact with everything it should have; its id, or null when the address is known already. */
  createContact(contact: ContactDetails): Promise<string | null>;
  /** Gives a contact that exists already what a new one would have got. */
  completeContact(contact: ContactDetails): Promise<string>;
  /** Sets whether the contact gets broadcasts; an unknown contact is left unknown. */
  setUnsubscribed(email: string, unsubscribed: boolean): Promise<void>;
  listSegments(contactId: string): Promise<string[]>;
  addToSegment(contactId: string, segmentId: string): Promise<void>;
  removeFromSegment(contactId: string, segmentId: string): Promise<void>;
  findBroadcast(name: string): Promise<Broadcast | undefined>;
  createBroadcast(draft: BroadcastDraft): Promise<string>;
  readBroadcast(id: string): Promise<Broadcast>;
  sendBroadcast(id: string): Promise<void>;
}

export interface BroadcastDraft {
  name: string;
  from: string;
  subject: string;
  html: string;
  text: string;
  segmentId: string;
  topicId: string;
}

interface ResendOptions {
  apiKey: string;
  baseUrl: string;
  timeoutMs: number;
  pacer: Pacer;
  /** Absent: Resend is called however often it fails. */
  breaker?: Breaker | undefined;
  now: () => number;
}

/** An answer of the SDK that is an error; without a status where there was no answer. */
interface Refusal {
  error: ErrorResponse;
  headers: Record<string, string> | null;
  startedMs: number;
}

/** When a 429 does not say how long: the length of Resend's window. */
const defaultPauseSeconds = 1;
const quotaErrors = ["daily_quota_exceeded", "monthly_quota_exceeded"];

export function createResend(settings: ResendOptions): ResendProvider {
  const { apiKey, baseUrl, timeoutMs, pacer, breaker, now } = settings;
  const client = new Resend(apiKey, { baseUrl });
  const options = () => {
    const id = correlationId();
    return { signal: AbortSignal.timeout(timeoutMs), ...(id ? { headers: { "x-correlation-id": id } } : {}) };
  };

  const acquire = (urgency: Urgency) => acquireBehind(breaker, () => pacer.acquire(urgency));

  /** Makes a call that was already permitted; `call` must pass the options on to the SDK. */
  const permitted = async <T>(
    operation: string,
    call: (requestOptions: ReturnType<typeof options>) => Promise<Response<T>>,
  ): Promise<T> => {
    const startedMs = now();
    const { data, error, headers } = await call(options());
    const limit = Number(headers?.["ratelimit-limit"]);
    if (limit > 0) await pacer.learn(limit);
    const facts = {
      provider: "resend",
      operation,
      status: error ? statusOf(error) : 200,
      durationMs: now() - startedMs,
    };
    if (!error) {
      await breaker?.answered(startedMs);
      log.debug("provider.called", facts);
      return data;
    }
    log.warn("provider.failed", { ...facts, code: error.name, reason: error.message });
    throw await failureOf(operation, { error, headers, startedMs });
  };

  const paced = async <T>(
    operation: string,
    call: (requestOptions: ReturnType<typeof options>) => Promise<Response<T>>,
    urgency: Urgency = "bulk",
  ): Promise<T> => {
    await acquire(urgency);
    return permitted(operation, call);
  };

  const failureOf = async (operation: string, { error, headers, startedMs }: Refusal): Promise<Error> => {
    const { name, message } = error;
    const statusCode = statusOf(error);
    const what = `Resend ${operation}: ${name}: ${message}`;
    if (statusCode === null || statusCode >= 500)
      return new ProviderUnavailable(what, { restUntilMs: await breaker?.failed(startedMs) });
    await breaker?.answered(startedMs);
    if (quotaErrors.includes(name)) {
      const untilMs = endOfPeriod(name, now());
      await pacer.pause(untilMs, "announced");
      return new QuotaExceeded(what, untilMs);
    }
    if (statusCode === 429) {
      const seconds = Number(headers?.["retry-after"]) || defaultPauseSeconds;
      const untilMs = now() + seconds * 1000;
      await pacer.pause(untilMs, "overrun");
      return new RateLimited(what, untilMs);
    }
    // 401 and 403 are about the key, its rights or the sending domain, never about one mail.
    if (statusCode === 401 || statusCode === 403) return new ProviderMisconfigured(what);
    if (name === "invalid_idempotent_request") return new IdempotencyMismatch(what);
    if (name === "concurrent_idempotent_requests") return new ProviderUnavailable(what);
    return new ProviderRefused(what, { status: statusCode, code: name });
  };

  const toleratingMissing = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof ProviderRefused && error.status === 404)) throw error;
    }
  };

  return {
    acquire,

    async sendMail(mail, idempotencyKey) {
      const { id } = await permitted("emails.send", (request) =>
        client.emails.send(mail, { ...request, idempotencyKey }),
      );
      return id;
    },

    async sendMails(mails, idempotencyKey) {
      const { data, errors } = await permitted("batch.send", (request) =>
        client.batch.send(mails, { ...request, idempotencyKey, batchValidation: "permissive" }),
      );
      const accepted = data.map(({ id }) => id);
      // A strict answer has no `errors`; nor, perhaps, one without any.
      const refused = new Map((errors ?? []).map(({ index, message }) => [index, message]));
      return mails.map((_, index) => {
        const reason = refused.get(index);
        if (reason === undefined) return accepted.shift() ?? null;
        log.warn("mail.refused", { ledgerKey: idempotencyKey, index, reason });
        return null;
      });
    },

    async createContact({ email, properties, segmentIds, topicIds }) {
      try {
        const { id } = await paced(
          "contacts.create",
          (request) =>
            client.contacts.create(
              {
                email,
                unsubscribed: false,
                properties,
                segments: segmentIds.map((segmentId) => ({ id: segmentId })),
                topics: topicIds.map((topicId) => ({ id: topicId, subscription: "opt_in" })),
              },
              request,
            ),
          "urgent",
        );
        return id;
      } catch (error) {
        if (error instanceof ProviderRefused && /already exists|duplicate/i.test(error.message)) return null;
        throw error;
      }
    },

    async completeContact({ email, properties, segmentIds, topicIds }) {
      const { id } = await paced("contacts.update", (request) =>
        client.contacts.update({ email, unsubscribed: false, properties }, request),
      );
      await paced("contacts.topics.update", (request) =>
        client.contacts.topics.update(
          { email, topics: topicIds.map((topicId) => ({ id: topicId, subscription: "opt_in" })) },
          request,
        ),
      );
      for (const segmentId of segmentIds)
        await paced("contacts.segments.add", (request) => client.contacts.segments.add({ email, segmentId }, request));
      return id;
    },

    async setUnsubscribed(email, unsubscribed) {
      await toleratingMissing(
        paced("contacts.update", (request) => client.contacts.update({ email, unsubscribed }, request)),
      );
    },

    async listSegments(contactId) {
      const { data } = await paced("contacts.segments.list", (request) =>
        client.contacts.segments.list({ contactId, limit: 100 }, request),
      );
      return data.map(({ id }) => id);
    },

    async addToSegment(contactId, segmentId) {
      await paced("contacts.segments.add", (request) =>
        client.contacts.segments.add({ contactId, segmentId }, request),
      );
    },

    async removeFromSegment(contactId, segmentId) {
      await toleratingMissing(
        paced("contacts.segments.remove", (request) =>
          client.contacts.segments.remove({ contactId, segmentId }, request),
        ),
      );
    },

    async findBroadcast(name) {
      let after: string | undefined;
      for (;;) {
        const page = await paced("broadcasts.list", (request) =>
          client.broadcasts.list({ limit: 100, ...(after ? { after } : {}) }, request),
        );
        const found = page.data.find((broadcast) => broadcast.name === name);
        if (found) return { id: found.id, status: found.status };
        after = page.data.at(-1)?.id;
        if (!page.has_more || !after) return undefined;
      }
    },

    async createBroadcast(draft) {
      const { id } = await paced("broadcasts.create", (request) => client.broadcasts.create(draft, request));
      return id;
    },

    async readBroadcast(id) {
      const { status } = await paced("broadcasts.get", (request) => client.broadcasts.get(id, request));
      return { id, status };
    },

    async sendBroadcast(id) {
      await paced("broadcasts.send", (request) => client.broadcasts.send(id, undefined, request));
    },
  };
}

/** Null without an answer, and where something in front of Resend answered with an error of another shape. */
const statusOf = ({ statusCode }: ErrorResponse): number | null => (typeof statusCode === "number" ? statusCode : null);

/** Resend's quotas begin anew with the day and the month, in UTC. */
function endOfPeriod(quota: string, nowMs: number): number {
  const at = new Date(nowMs);
  return quota === "daily_quota_exceeded"
    ? Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() + 1)
    : Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1);
}
