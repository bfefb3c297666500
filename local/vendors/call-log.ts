import { createBodyBudget } from "./body-budget.ts";
import type { FaultOutcome } from "./faults.ts";

/** One request as `GET /_calls` shows it. `status` and `response` are null when the vendor never answered. */
export type Call = {
  seq: number;
  /** ISO 8601, by the station's clock. */
  at: string;
  method: string;
  /** Path and query as received. */
  path: string;
  headers: Record<string, string>;
  /** Parsed where it is JSON, else the text; null when there was none, or when it was dropped to save memory. */
  body: unknown;
  status: number | null;
  response: unknown;
  correlationId: string | null;
  /** Set when a fault decided the outcome. */
  fault?: Exclude<FaultOutcome, "none">;
};

export type CallLog = {
  /** `size` is that of both bodies, in characters. */
  add: (call: Omit<Call, "seq">, size: number) => void;
  /** Calls with `seq` greater than the given one, newest last. */
  after: (seq: number) => Call[];
};

/** The newest `capacity` calls of a stand-in; of the older ones among them the bodies may be gone. */
export function createCallLog(capacity = 10_000, bodyBudgetSize = 64_000_000): CallLog {
  const bodies = createBodyBudget(bodyBudgetSize);
  let calls: Call[] = [];
  let lastSeq = 0;
  return {
    add(received, size) {
      lastSeq += 1;
      const call: Call = { seq: lastSeq, ...received };
      calls.push(call);
      bodies.hold(size, () => {
        call.body = null;
        call.response = null;
      });
      // Cutting at twice the capacity keeps the cost per call constant.
      if (calls.length >= capacity * 2) calls = calls.slice(-capacity);
    },
    after: (seq) => calls.slice(-capacity).filter((call) => call.seq > seq),
  };
}
