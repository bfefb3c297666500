import type { InvokeOutcome } from "./invoke.ts";

/** Given to the thread at its start. */
export interface ThreadStart {
  functionName: string;
  memoryMb: number;
  assetDir: string;
  handler: string;
  clockBuffer: SharedArrayBuffer;
}

/** One request from the host to the thread. */
export interface ThreadRequest {
  requestId: string;
  functionArn: string;
  timeoutMs: number;
  /** JSON text, as it would travel. */
  event: string;
}

export type InvokeFailure = Extract<InvokeOutcome, { ok: false }>;

/** What the thread tells the host. `pending` names the resources the function left behind, one word per resource. */
export type ThreadReport =
  | { kind: "ready" }
  | { kind: "log"; line: string; requestId: string | undefined }
  | { kind: "initFailed"; failure: InvokeFailure }
  | { kind: "settled"; response: { ok: true; json: string } | InvokeFailure; pending: string[] };
