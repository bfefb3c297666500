import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const description = z.object({
  api: z.string(),
  endpoints: z.object({ control: z.string() }),
  credentials: z.object({ internalSecret: z.string() }),
});

/** The operator cannot go on; the message says why and what to do. */
export class OperatorError extends Error {
  override name = "OperatorError";
}

/** Asks the station that runs on this machine. */
export interface LocalStation {
  api: string;
  ask(method: "GET" | "POST", path: string, body?: Record<string, unknown>): Promise<unknown>;
}

export async function findLocalStation(home: string): Promise<LocalStation> {
  const text = await readFile(join(home, "local.json"), "utf8").catch(() => undefined);
  if (text === undefined) throw new OperatorError("No station is running here. Start one with `npm start`.");
  const { api, endpoints, credentials } = description.parse(JSON.parse(text));
  return {
    api,
    async ask(method, path, body) {
      const response = await fetch(`${endpoints.control}${path}`, {
        method,
        headers: { "content-type": "application/json", "x-internal-secret": credentials.internalSecret },
        ...(body ? { body: JSON.stringify(body) } : {}),
      }).catch((error: unknown) => {
        throw new OperatorError("The station does not answer. If it died, `npm start` starts a new one.", {
          cause: error,
        });
      });
      const answer: unknown = await response.json();
      if (!response.ok) throw new OperatorError(z.object({ error: z.string() }).parse(answer).error);
      return answer;
    },
  };
}
