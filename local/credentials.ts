import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const credentials = z.object({
  internalSecret: z.string(),
  unsubscribeKey: z.string(),
  jwtSecret: z.string(),
  postgresPassword: z.string(),
  resendApiKey: z.string(),
  heartbeatDigestId: z.string(),
  heartbeatSequenceId: z.string(),
});

/** Values that mean something on this machine only. */
export type LocalCredentials = z.infer<typeof credentials>;

/** The credentials of this station's home, made at its first start and kept, readable by the owner only. */
export async function localCredentials(home: string): Promise<LocalCredentials> {
  const file = join(home, "credentials.json");
  const random = () => randomBytes(24).toString("base64url");
  const kept = await readFile(file, "utf8").catch(() => "{}");
  const complete = credentials.parse({
    internalSecret: random(),
    unsubscribeKey: random(),
    jwtSecret: randomBytes(48).toString("base64url"),
    postgresPassword: random(),
    resendApiKey: `re_local_${random()}`,
    heartbeatDigestId: "digest-local",
    heartbeatSequenceId: "sequence-local",
    ...z.record(z.string(), z.string()).parse(JSON.parse(kept)),
  });
  await mkdir(home, { recursive: true, mode: 0o700 });
  await writeFile(file, JSON.stringify(complete, null, 2), { mode: 0o600 });
  return complete;
}
