import { z } from "zod";
import type { ChaosEvent } from "../../local/chaos/chaos-event.ts";
import type { StationProcessOptions } from "../../local/station-process.ts";
import { send } from "../flows/http.ts";
import { type FlowStation, startFlowStation } from "../flows/station.ts";

const answers = z.looseObject({ now: z.number() });
const settled = answers.extend({ left: z.record(z.string(), z.int()) });
const chaosEvent = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("kill"), boundary: z.string(), item: z.string(), about: z.string() }),
  z.object({ kind: z.literal("fault"), service: z.string(), fault: z.string(), item: z.string(), about: z.string() }),
  z.object({ kind: z.literal("limit-met"), service: z.string(), item: z.string(), about: z.string() }),
  z.object({
    kind: z.literal("accepted"),
    key: z.string(),
    mails: z.array(z.object({ id: z.string(), to: z.string(), tags: z.record(z.string(), z.string()) })),
  }),
]) satisfies z.ZodType<ChaosEvent>;
const told = answers.extend({ events: z.array(chaosEvent), repeated: z.int(), coldStarts: z.int() });

/** A station that fails on command. */
export interface ChaosStation extends FlowStation {
  /** Begins to fail by the seed's plan; answers the station's time. `mutant`: number of a bug to switch on. */
  begin(seed: number, mutant?: number): Promise<number>;
  /** Stops failing. */
  calm(): Promise<void>;
  /** Lets that much time go by at once; answers the station's time. */
  skip(ms: number): Promise<number>;
  /**
   * Waits until nothing moves, and lets time go by where something waits for it, in at most so many strides. Answers
   * what is left undone.
   */
  settle(rounds: number): Promise<Record<string, number>>;
  /** What happened since the seed began, from the `after`th event on. */
  events(after?: number): Promise<{ events: ChaosEvent[]; repeated: number; coldStarts: number; now: number }>;
}

/**
 * Prepares the database so that ids are the same in every run of a seed. Who inserts the same row at the same time
 * waits: else the equal ids would collide before `on conflict` sees the equal addresses.
 */
const sameIds = `
  create table public.chaos_seed (seed integer not null);
  insert into public.chaos_seed values (0);
  create function public.chaos_uuid(p_text text) returns uuid language sql immutable set search_path = '' as $$
    select (substr(h, 1, 12) || '4' || substr(h, 14, 3) || '8' || substr(h, 18))::uuid from md5(p_text) h
  $$;
  create function public.chaos_subscription_id() returns trigger language plpgsql security definer as $$
    begin
      perform pg_advisory_xact_lock(hashtext(new.email));
      new.id := public.chaos_uuid(new.email);
      return new;
    end $$;
  create trigger chaos_id before insert on public.newsletter_subscriptions
    for each row execute function public.chaos_subscription_id();
  create function public.chaos_event_id() returns trigger language plpgsql security definer as $$
    begin
      perform pg_advisory_xact_lock(hashtext(new.dedupe_key));
      new.id := public.chaos_uuid(new.dedupe_key);
      return new;
    end $$;
  create trigger chaos_id before insert on public.webhook_events
    for each row execute function public.chaos_event_id();
  create function public.chaos_batch_id() returns trigger language plpgsql security definer as $$
    begin
      perform pg_advisory_xact_lock(0);
      new.id := public.chaos_uuid((select seed from public.chaos_seed) || '/'
        || (select count(*) from public.email_sequence_batches));
      return new;
    end $$;
  create trigger chaos_id before insert on public.email_sequence_batches
    for each row execute function public.chaos_batch_id();
`;

export async function startChaosStation(options: StationProcessOptions = {}): Promise<ChaosStation> {
  const station = await startFlowStation({ ...options, chaos: true });
  const control = async (path: string, body?: unknown): Promise<unknown> => {
    const answer = await send(`${station.endpoints.control}/chaos/${path}`, {
      headers: { "x-internal-secret": station.credentials.internalSecret },
      ...(body === undefined ? {} : { body }),
    });
    if (answer.status !== 200) throw new Error(`The station could not ${path}: ${answer.status} ${answer.text}`);
    return answer.json();
  };
  await station.sql(sameIds);
  return {
    ...station,
    async begin(seed, mutant = 0) {
      await station.sql("update public.chaos_seed set seed = $1", [seed]);
      return answers.parse(await control("begin", { seed, mutant })).now;
    },
    calm: async () => {
      await control("disturb", { on: false });
    },
    skip: async (ms) => answers.parse(await control("skip", { ms })).now,
    settle: async (rounds) => settled.parse(await control("settle", { rounds })).left,
    events: async (after = 0) => told.parse(await control(`events?after=${after}`)),
  };
}
