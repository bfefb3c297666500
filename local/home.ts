import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** Another station is using this home. */
export class HomeInUse extends Error {
  override name = "HomeInUse";
}

/** Takes the home for this process; the answer gives it back. A lock whose process is gone is taken over. */
export async function lockHome(home: string): Promise<() => Promise<void>> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const file = join(home, "station.pid");
  const holder = Number(await readFile(file, "utf8").catch(() => ""));
  if (holder > 0 && isAlive(holder))
    throw new HomeInUse(
      `A station is running already (process ${holder}). Stop it first, or use it: ${join(home, "local.json")}`,
    );
  await rm(file, { force: true });
  const lock = await open(file, "wx", 0o600).catch((error: unknown) => {
    throw new HomeInUse("Another station is starting at this very moment. Try again.", { cause: error });
  });
  await lock.writeFile(String(process.pid));
  await lock.close();
  return () => rm(file, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return z.object({ code: z.literal("EPERM") }).safeParse(error).success;
  }
}

/** Tells other programs where the station is, readable by the owner only; the answer takes it back. */
export async function writeDescription(home: string, description: object): Promise<() => Promise<void>> {
  const file = join(home, "local.json");
  await writeFile(file, `${JSON.stringify(description, null, 2)}\n`, { mode: 0o600 });
  return () => rm(file, { force: true });
}
