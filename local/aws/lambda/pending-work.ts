import { subscribe } from "node:diagnostics_channel";
import { setImmediate } from "node:timers/promises";

/** Tells what a handler left under way when it answered. */
export interface PendingWork {
  /** Waits a few turns of the event loop, then names each timer, socket or request that outlived the response. */
  afterResponse(): Promise<string[]>;
}

// The thread's own channel to the host, and the channels React's renderer keeps open without waiting on them.
const CHANNEL = "MessagePort";

// A request that was begun but not awaited shows its socket after two turns of the event loop; an HTTP client that
// is done gives its keep-alive socket back within three.
const MIN_TURNS = 3;
const MAX_TURNS = 8;

// Where fetch and node:http announce that a response came in.
const RESPONSE_CHANNELS = ["undici:request:trailers", "http.client.response.finish"];

/** Takes what the thread has active now as its idle state, and watches from here. Call it once per thread. */
export function watchPendingWork(): PendingWork {
  const idle = activeResources();
  let watching = false;
  let late: string[] = [];
  // A request that nobody awaited may be answered before the turns are over; its socket is idle again by then.
  for (const channel of RESPONSE_CHANNELS) {
    subscribe(channel, () => {
      if (watching) late.push("HTTPRequest");
    });
  }
  return {
    afterResponse: async () => {
      watching = true;
      late = [];
      let pending: string[] = [];
      for (let turn = 1; turn <= MAX_TURNS; turn += 1) {
        await setImmediate();
        pending = beyond(idle, activeResources());
        if (turn >= MIN_TURNS && pending.length === 0) break;
      }
      watching = false;
      return [...pending, ...late];
    },
  };
}

function activeResources(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => kind !== CHANNEL);
}

function beyond(baseline: readonly string[], active: readonly string[]): string[] {
  const known = [...baseline];
  return active.filter((kind) => {
    const index = known.indexOf(kind);
    if (index === -1) return true;
    known.splice(index, 1);
    return false;
  });
}
