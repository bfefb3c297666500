import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { OperatorError } from "./operator-error.ts";

const description = z.object({
  api: z.string(),
  endpoints: z.object({
    sqs: z.string(),
    dynamodb: z.string(),
    stepfunctions: z.string(),
    secretsmanager: z.string(),
    lambda: z.string().optional(),
    supabase: z.string(),
    control: z.string(),
  }),
  credentials: z.object({ internalSecret: z.string() }),
});

/** The station that runs on this machine, as `.station/local.json` describes it. */
export interface LocalStation extends z.infer<typeof description> {
  /** Asks what only a station on this machine can do: see `local/control.ts`. */
  ask(method: "GET" | "POST", path: string, body?: Record<string, unknown>): Promise<unknown>;
}

export async function findLocalStation(home: string): Promise<LocalStation> {
  const text = await readFile(join(home, "local.json"), "utf8").catch(() => undefined);
  if (text === undefined)
    throw new OperatorError(
      "No station is running here. Start one with `npm start`, or name a deployed one with --stage.",
    );
  const found = description.parse(JSON.parse(text));
  return {
    ...found,
    async ask(method, path, body) {
      const response = await fetch(`${found.endpoints.control}${path}`, {
        method,
        headers: { "content-type": "application/json", "x-internal-secret": found.credentials.internalSecret },
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
