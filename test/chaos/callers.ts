import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, Request } from "../flows/http.ts";
import type { ChaosStation } from "./chaos-station.ts";

interface Offer {
  path: string;
  /** Made anew for every attempt: a signature holds for a few minutes only. */
  request: () => Promise<Request>;
  /** Whether the station has said 2xx. */
  accepted: boolean;
  /** What it said, each time that it accepted. */
  answers: Answer[];
}

/** The world's side of HTTP: it calls, and calls again with the same key until it was understood. */
export interface Callers {
  /** Calls, and once more if that did not work; the rest is for `insist`. Answers the offer. */
  offer(path: string, request: Request | (() => Promise<Request>)): Promise<Offer>;
  /** Calls again where nobody has accepted yet; answers what is still not accepted. */
  insist(): Promise<Offer[]>;
  offers(): readonly Offer[];
}

const pauseMs = 150;
/** More at once would only start more functions, which all cost a cold start. */
const callsAtOnce = 4;

export function createCallers(station: ChaosStation): Callers {
  const offers: Offer[] = [];
  let calling = 0;
  const waiting: (() => void)[] = [];
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (calling >= callsAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    calling += 1;
    try {
      return await work();
    } finally {
      calling -= 1;
      waiting.shift()?.();
    }
  };
  const attempt = (offer: Offer) => inTurn(() => attemptNow(offer));
  const attemptNow = async (offer: Offer) => {
    const answer = await station.callInternal(offer.path, await offer.request()).catch(() => undefined);
    if (!answer || answer.status >= 300) return;
    offer.accepted = true;
    offer.answers.push(answer);
  };
  return {
    offers: () => offers,
    async offer(path, request) {
      const offer: Offer = {
        path,
        request: typeof request === "function" ? request : async () => request,
        accepted: false,
        answers: [],
      };
      offers.push(offer);
      await attempt(offer);
      if (!offer.accepted) {
        await sleep(pauseMs);
        await attempt(offer);
      }
      return offer;
    },
    async insist() {
      for (const offer of offers) if (!offer.accepted) await attempt(offer);
      return offers.filter(({ accepted }) => !accepted);
    },
  };
}
