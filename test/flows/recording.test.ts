import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { checkRecording } from "../contract/openapi.ts";
import { sendMessage } from "./message.ts";
import { START_TIMEOUT_MS, startFlowStation } from "./station.ts";
import { run } from "./workflow-runs.ts";

const digestDue = "2026-11-16T09:00:00Z";
const line = z.object({ vendor: z.string(), url: z.string(), correlationId: z.string().nullable() });

test(
  "what the station sends to Resend and Discord, and what it is answered, is what they publish",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "flux-recording-"));
    const file = join(folder, "exchanges.ndjson");
    const station = await startFlowStation({ recordTo: file });
    try {
      for (const name of ["ada", "grace", "ada"]) await station.subscribe(`${name}@example.com`);
      await station.quiet();
      await run(station, "digest", { scheduled_time: digestDue, mode: "broadcast" });
      await run(station, "digest", { scheduled_time: "2026-11-09T09:00:00Z", mode: "batch" });
      const [job] = await station.sql<{ id: string }>("select id from jobs where status = 'active' limit 1");
      if (job) await sendMessage(station, "discord-jobs", { job_id: job.id, change: "INSERT" });
      await station.advance(3 * 86_400_000);
      await station.quiet();

      const lines = (await readFile(file, "utf8")).trim().split("\n");
      const exchanges = lines.map((text) => line.parse(JSON.parse(text)));
      const called = new Set(exchanges.map(({ url }) => new URL(url).host));
      expect([...called]).toEqual(expect.arrayContaining(["api.resend.com", "discord.com"]));
      expect(exchanges.filter(({ vendor }) => vendor === "resend").every(({ correlationId }) => correlationId)).toBe(
        true,
      );

      const { checked, findings, skipped } = checkRecording(lines);
      if (skipped) console.warn(`Not held against the published API: ${skipped}`);
      else expect(checked).toBeGreaterThan(8);
      expect(findings).toEqual([]);
    } finally {
      await station.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
  START_TIMEOUT_MS + 60_000,
);
