import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SFNClient } from "@aws-sdk/client-sfn";
import {
  ChangeMessageVisibilityCommand,
  type Message,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import pg from "pg";
import { type StationProcess, type StationProcessOptions, startStationProcess } from "../../local/station-process.ts";
import type { StandInName } from "../../local/vendors/start-vendors.ts";
import type { QueueName } from "../../registry/queues.ts";
import { queues } from "../../registry/queues.ts";
import { type Answer, type Request, send } from "./http.ts";
import { type LogScan, refuseLeaks, scanStationLog, secretsIn, sentencesOf } from "./log-scan.ts";

/** A station may have to be synthesized first, on a machine that does other things too. */
export const START_TIMEOUT_MS = 120_000;

export interface OutboxMail {
  to: string[];
  from: string;
  replyTo: string[];
  subject: string;
  html: string | null;
  text: string | null;
  headers: Record<string, string>;
  tags: { name: string; value: string }[];
  kind: "email" | "batch" | "broadcast";
  idempotencyKey: string | null;
}

export interface ResendContact {
  id: string;
  email: string;
  unsubscribed: boolean;
  properties: Record<string, string | number>;
  segments: string[];
  topics: { id: string; subscription: "opt_in" | "opt_out" }[];
}

export interface VendorCall {
  seq: number;
  at: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: unknown;
  status: number | null;
  correlationId: string | null;
  fault?: string;
}

export interface DeadLetter {
  body: string;
  /** Attributes that the worker gave it; empty where SQS's own redrive moved it. */
  attributes: Record<string, string>;
}

/** A station in its own process with what tests look at it through. */
export interface FlowStation extends StationProcess {
  /** A request to the API, from an address of its own unless told otherwise. */
  call(path: string, request?: Request): Promise<Answer>;
  /** A request with the internal secret. */
  callInternal(path: string, request?: Request): Promise<Answer>;
  /** Subscribes over HTTP; answers once it was accepted, not once it is done. */
  subscribe(email: string, more?: Record<string, unknown>): Promise<Answer>;
  /** What Resend sent, oldest first; to one address where it is given. */
  outbox(to?: string): Promise<OutboxMail[]>;
  contacts(): Promise<ResendContact[]>;
  /** A part of a vendor's state. */
  vendorState<T>(vendor: StandInName, part: string): Promise<T[]>;
  contact(email: string): Promise<ResendContact | undefined>;
  /** What a vendor was asked, oldest first, after the call numbered `after`. */
  calls(vendor?: StandInName, after?: number): Promise<VendorCall[]>;
  /** Replaces the vendor's faults; `{}` clears them. */
  faults(faults: Record<string, number | boolean>, vendor?: StandInName): Promise<void>;
  sql<T extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<T[]>;
  supabase: SupabaseClient;
  sqs: SQSClient;
  stepFunctions: SFNClient;
  queueUrl(queue: QueueName): string;
  deadLetterUrl(queue: QueueName): string;
  /** Puts a raw body on a queue, past the route. */
  enqueue(queue: QueueName, body: unknown): Promise<void>;
  /** Dead letters of a queue; they stay there. */
  deadLetters(queue: QueueName): Promise<DeadLetter[]>;
  /** Empties a queue's dead letters. */
  purge(queue: QueueName): Promise<void>;
  /** An item of the state table. */
  item(pk: string, sk: string): Promise<Record<string, unknown> | undefined>;
  /** Changes the station's secret, values to set and null to remove; answers what it was before. */
  changeSecret(changes: Record<string, string | null>): Promise<Record<string, string>>;
  /** Looks at all that was logged so far; `stop` does too, and throws when a line says too much. */
  scanLog(): Promise<LogScan>;
}

/** Starts a station; pass `stop` to `afterAll`: it fails the test file whose station logged what must not be logged. */
export async function startFlowStation(options: StationProcessOptions = {}): Promise<FlowStation> {
  const secrets = new Set<string>();
  const sentences = new Set<string>();
  const scan = (home: string) => scanStationLog(home, { secrets, sentences });
  const station = await startStationProcess({ ...options, onStopped: async (home) => refuseLeaks(await scan(home)) });
  const { endpoints, vendors, credentials, api } = station;
  const aws = (endpoint: string) => ({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  const sqs = new SQSClient(aws(endpoints.sqs));
  const dynamodb = new DynamoDBClient(aws(endpoints.dynamodb));
  const secretsManager = new SecretsManagerClient(aws(endpoints.secretsmanager));
  const stepFunctions = new SFNClient(aws(endpoints.stepfunctions));
  const pool = new pg.Pool({ connectionString: endpoints.postgres, max: 2 });
  // The server goes down before the pool's connections do; that is no news.
  pool.on("error", () => undefined);

  const suffixOf = (queue: QueueName) => (queues[queue].fifo ? ".fifo" : "");
  const queueUrl = (queue: QueueName) => `${endpoints.sqs}/000000000000/prod-flux-${queue}${suffixOf(queue)}`;
  const deadLetterUrl = (queue: QueueName) => `${endpoints.sqs}/000000000000/prod-flux-${queue}-dlq${suffixOf(queue)}`;
  const vendorUrl = (vendor: StandInName) => {
    const url = vendors[vendor];
    if (url === undefined) throw new Error(`The station has no stand-in named ${vendor}.`);
    return url;
  };
  const state = async <T>(part: string, vendor: StandInName = "resend"): Promise<T[]> =>
    (await send(`${vendorUrl(vendor)}/_state?only=${part}`)).json<Record<string, T[]>>()[part] ?? [];
  const call = (path: string, request?: Request) => send(`${api}${path}`, request);
  for (const secret of secretsIn(credentials)) secrets.add(secret);
  const noteMails = async () => {
    const texts = (await state<OutboxMail>("outbox")).map(({ text }) => text ?? "");
    for (const sentence of sentencesOf(texts)) sentences.add(sentence);
  };

  return {
    ...station,
    call,
    callInternal: (path, request = {}) =>
      call(path, {
        method: "POST",
        ...request,
        headers: { "x-internal-secret": credentials.internalSecret, ...request.headers },
      }),
    subscribe: (email, more = {}) => call("/email/subscribe", { body: { email, ...more } }),
    outbox: async (to) => {
      const mails = await state<OutboxMail>("outbox");
      return to === undefined ? mails : mails.filter((mail) => mail.to.includes(to));
    },
    vendorState: (vendor, part) => state(part, vendor),
    contacts: () => state<ResendContact>("contacts"),
    contact: async (email) => (await state<ResendContact>("contacts")).find((each) => each.email === email),
    calls: async (vendor = "resend", after = 0) =>
      (await send(`${vendorUrl(vendor)}/_calls?after=${after}`)).json<VendorCall[]>(),
    faults: async (faults, vendor = "resend") => {
      const answer = await send(`${vendorUrl(vendor)}/_faults`, { method: "PUT", body: faults });
      if (answer.status !== 200) throw new Error(`The stand-in took no faults: ${answer.text}`);
    },
    sql: async (text, values = []) => (await pool.query(text, values)).rows,
    supabase: createClient(endpoints.supabase, credentials.serviceRoleKey, { auth: { persistSession: false } }),
    sqs,
    stepFunctions,
    queueUrl,
    deadLetterUrl,
    enqueue: async (queue, body) => {
      const MessageBody = typeof body === "string" ? body : JSON.stringify(body);
      const unique = `${Date.now()}-${Math.random()}`;
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: queueUrl(queue),
          MessageBody,
          ...(queues[queue].fifo ? { MessageGroupId: unique, MessageDeduplicationId: unique } : {}),
        }),
      );
    },
    deadLetters: async (queue) => {
      const found: Message[] = [];
      for (;;) {
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({
            QueueUrl: deadLetterUrl(queue),
            MaxNumberOfMessages: 10,
            VisibilityTimeout: 30,
            MessageAttributeNames: ["All"],
          }),
        );
        if (Messages.length === 0) break;
        found.push(...Messages);
      }
      for (const { ReceiptHandle } of found)
        await sqs.send(
          new ChangeMessageVisibilityCommand({ QueueUrl: deadLetterUrl(queue), ReceiptHandle, VisibilityTimeout: 0 }),
        );
      return found.map(({ Body = "", MessageAttributes = {} }) => ({
        body: Body,
        attributes: Object.fromEntries(
          Object.entries(MessageAttributes).map(([name, { StringValue = "" }]) => [name, StringValue]),
        ),
      }));
    },
    purge: async (queue) => {
      await sqs.send(new PurgeQueueCommand({ QueueUrl: deadLetterUrl(queue) }));
    },
    item: async (pk, sk) => {
      const { Item } = await dynamodb.send(
        new GetItemCommand({ TableName: "prod-flux-state", Key: { pk: { S: pk }, sk: { S: sk } } }),
      );
      return Item ? unmarshall(Item) : undefined;
    },
    changeSecret: async (changes) => {
      const SecretId = "prod-flux-station";
      const { SecretString = "{}" } = await secretsManager.send(new GetSecretValueCommand({ SecretId }));
      const before: Record<string, string> = JSON.parse(SecretString);
      for (const secret of secretsIn(changes)) secrets.add(secret);
      const changed = Object.entries({ ...before, ...changes }).filter(([, value]) => value !== null);
      await secretsManager.send(
        new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(Object.fromEntries(changed)) }),
      );
      return before;
    },
    scanLog: async () => {
      await noteMails();
      return scan(station.home);
    },
    stop: async () => {
      // A test may have ended the station already; its log is there nevertheless.
      await noteMails().catch(() => undefined);
      await pool.end();
      for (const client of [sqs, dynamodb, secretsManager, stepFunctions]) client.destroy();
      await station.stop();
    },
  };
}
