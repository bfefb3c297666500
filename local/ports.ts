import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { z } from "zod";

/** Below the ports that systems hand out to outgoing connections: of those, one may be taken at any moment. */
const ownPorts = { first: 10_240, last: 32_767 };

/** The port asked for cannot be had; the message says what to do. */
export class PortTaken extends Error {
  override name = "PortTaken";

  constructor(port: number, options?: ErrorOptions) {
    super(`Port ${port} is taken. Choose another for the API: npm start -- --port N`, options);
  }
}

/** A port that was free a moment ago; its address has to be known before the functions that are told of it start. */
export async function freePort(attempts = 20): Promise<number> {
  const port = randomInt(ownPorts.first, ownPorts.last + 1);
  try {
    await tryPort(port);
    return port;
  } catch (error) {
    if (attempts <= 1) throw error;
    return freePort(attempts - 1);
  }
}

/** Throws PortTaken at once, rather than after everything else has started; 0 stands for any free port. */
export async function refuseTakenPort(port: number): Promise<void> {
  if (port === 0) return;
  await tryPort(port).catch((error: unknown) => {
    throw portError(error, port);
  });
}

/** What to tell of a server that could not listen on a port. */
export function portError(error: unknown, port: number): unknown {
  const taken = z.object({ code: z.literal("EADDRINUSE") }).safeParse(error).success;
  return taken ? new PortTaken(port, { cause: error }) : error;
}

function tryPort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => server.close(() => resolve()));
  });
}
