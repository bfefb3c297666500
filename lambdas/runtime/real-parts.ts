import { createHeartbeat } from "../providers/heartbeat.ts";
import { createResend, type ResendProvider } from "../providers/resend.ts";
import { createSupabase, type SupabaseProvider } from "../providers/supabase.ts";
import { providerUrl, requiredSecrets, station, tableName } from "./configuration.ts";
import { createPacer } from "./pacer.ts";
import { createStateTable, type StateTable } from "./state-table.ts";

/** The real things that handlers are given; each is built on first use, so a missing key harms only its users. */
export const now = (): number => Date.now();

export const realTable = (): StateTable => createStateTable(tableName(), now);

export async function realSupabase(): Promise<SupabaseProvider> {
  const { supabaseServiceRoleKey } = await requiredSecrets(["supabaseServiceRoleKey"]);
  const { timeoutMs } = station.providers.supabase;
  return createSupabase({ url: providerUrl("supabase"), serviceRoleKey: supabaseServiceRoleKey, timeoutMs, now });
}

export async function realResend(table: StateTable): Promise<ResendProvider> {
  const { resendApiKey } = await requiredSecrets(["resendApiKey"]);
  const { timeoutMs, callsPerSecond = 1 } = station.providers.resend;
  const pacer = createPacer({ provider: "resend", table, callsPerSecond, now });
  return createResend({ apiKey: resendApiKey, baseUrl: providerUrl("resend"), timeoutMs, pacer, now });
}

export const realHeartbeat = () =>
  createHeartbeat({ baseUrl: providerUrl("heartbeat"), timeoutMs: station.providers.heartbeat.timeoutMs });
