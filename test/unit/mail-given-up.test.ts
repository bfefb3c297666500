import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ProviderUnavailable } from "../../lambdas/core/provider-failure.ts";
import { createMailLedger, type MailLedger } from "../../lambdas/runtime/mail-ledger.ts";
import { createClock, startState } from "./state.ts";

let state: Awaited<ReturnType<typeof startState>>;
let ledger: MailLedger;
const clock = createClock();

beforeAll(async () => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  vi.stubEnv("STATION_STAGE", "test");
  state = await startState();
  ledger = createMailLedger({ table: state.open(clock.now), now: clock.now });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await state.close();
});

const send = (key: string, call: () => Promise<(string | null)[]>) =>
  ledger.send({ key, payload: {}, acquire: async () => {}, call });
const statusOf = async (key: string) => (await ledger.read(key))?.status;

test("a mail that is no longer wanted, and may have been sent, is parked where somebody sees it", async () => {
  const unanswered = async () => {
    throw new ProviderUnavailable("no answer");
  };
  await expect(send("welcome/1", unanswered)).rejects.toThrow("no answer");
  expect(await ledger.giveUp("welcome/1", "they left")).toBe("parked");
  expect(await ledger.read("welcome/1")).toMatchObject({
    status: "parked",
    reason: expect.stringContaining("they left"),
  });
});

test("a mail that is decided, or was never tried, stays as it is", async () => {
  await send("welcome/2", async () => ["mail-2"]);
  expect(await ledger.giveUp("welcome/2", "they left")).toBe("suppressed");
  expect(await statusOf("welcome/2")).toBe("accepted");
  expect(await ledger.giveUp("welcome/3", "they left")).toBe("suppressed");
  expect(await statusOf("welcome/3")).toBeUndefined();
});
