import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { FlowStation } from "./station.ts";

export interface Said {
  code: number | null;
  out: string;
  error: string;
}

/** Runs the operator's command as an operator does, with the given arguments and an environment without AWS. */
export async function runFlux(args: string[], env: Record<string, string> = {}): Promise<Said> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "../../cli/flux.ts"), ...args], {
    env: { PATH: process.env.PATH, TZ: "UTC", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, error, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code, out, error };
}

/** The command for one station; what goes wrong fails the test, with what was said. */
export function fluxFor(station: FlowStation) {
  const flux = async (...args: string[]): Promise<string> => {
    const { code, out, error } = await runFlux([...args, "--home", station.home]);
    if (code !== 0) throw new Error(`flux ${args.join(" ")} ended with ${code}:\n${error}${out}`);
    return out;
  };
  return {
    flux,
    fluxJson: async <T>(...args: string[]): Promise<T> => JSON.parse(await flux(...args, "--json")) as T,
    /** For what must not succeed. */
    attempt: (...args: string[]) => runFlux([...args, "--home", station.home]),
  };
}
